"""Kinds with one peculiarity each: secrets, config maps, endpoint slices, nodes."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from bgplab.backends.embedded.kube.errors import Cause
from bgplab.backends.embedded.kube.kinds.behaviour import Behaviour, immutable
from bgplab.backends.embedded.kube.store.item import Value


def _complete_secret(secret: Value) -> None:
    """stringData is write-only: it becomes data."""
    for name, text in secret.pop("stringData", {}).items():
        secret.setdefault("data", {})[name] = base64.b64encode(text.encode()).decode()


def _validate_secret(new: Value, old: Value | None) -> Iterator[Cause]:
    yield from immutable(new, old, "type")
    yield from _frozen(new, old)


def _frozen(new: Value, old: Value | None) -> Iterator[Cause]:
    if (
        old is not None
        and old.get("immutable")
        and any(new.get(k) != old.get(k) for k in ("data", "binaryData", "immutable"))
    ):
        yield Cause("data", "Forbidden: field is immutable when `immutable` is set", "FieldValueForbidden")


def _validate_slice(new: Value, old: Value | None) -> Iterator[Cause]:
    yield from immutable(new, old, "addressType")
    for index, endpoint in enumerate(new.get("endpoints", ())):
        if not endpoint.get("addresses"):
            yield Cause(
                f"endpoints[{index}].addresses", "Required value: must contain at least 1 address", "FieldValueRequired"
            )


def _complete_slice(slice_: Value) -> None:
    for port in slice_.get("ports", ()):
        port.setdefault("name", "")


def _validate_node(new: Value, old: Value | None) -> Iterator[Cause]:
    if old is not None and old.get("spec", {}).get("podCIDR"):
        yield from immutable(new, old, "spec.podCIDR")


def _complete_node(node: Value) -> None:
    node.setdefault("spec", {})
    node.setdefault("status", {})


SECRETS = Behaviour(complete=_complete_secret, validate=_validate_secret)
CONFIG_MAPS = Behaviour(validate=_frozen)
ENDPOINT_SLICES = Behaviour(complete=_complete_slice, validate=_validate_slice)
NODES = Behaviour(complete=_complete_node, validate=_validate_node)
