"""Kinds with one peculiarity each: secrets, config maps, endpoint slices, nodes."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

from bgplab.backends.embedded.kube.errors import Cause, bad_request
from bgplab.backends.embedded.kube.kinds.behaviour import Behaviour, immutable
from bgplab.backends.embedded.kube.store.item import Value

CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]+")
LONGEST_KEY = 253
LARGEST_DATA = 1024 * 1024  # bytes of all values, keys not counted
NOT_COUNTED = dict.fromkeys(map(ord, "=\r\n"))  # what base64 has beside its digits
TOO_LARGE = f"Too long: may not be more than {LARGEST_DATA} bytes"


def _complete_secret(secret: Value) -> None:
    """stringData is write-only: it becomes data. Raises 400 for data that is not base64."""
    for name, text in secret.get("data", {}).items():
        _refuse_unless_base64(name, text)
    for name, text in secret.pop("stringData", {}).items():
        secret.setdefault("data", {})[name] = base64.b64encode(text.encode()).decode()


def _complete_config_map(config_map: Value) -> None:
    """Raises 400 for binary data that is not base64."""
    for name, text in config_map.get("binaryData", {}).items():
        _refuse_unless_base64(name, text, "ConfigMap", "binaryData")


def _refuse_unless_base64(name: str, text: Any, kind: str = "Secret", field: str = "data") -> None:
    if text is None:
        return
    try:
        if not isinstance(text, str):
            raise ValueError(text)
        base64.b64decode(text.replace("\r", "").replace("\n", ""), validate=True)
    except ValueError as fault:
        message = f'{kind} in version "v1" cannot be handled as a {kind}: illegal base64 data in {field}.{name}'
        raise bad_request(message) from fault


def _key_causes(new: Value) -> Iterator[Cause]:
    for field in ("data", "binaryData"):
        for key in new.get(field) or ():
            if len(key) > LONGEST_KEY or not CONFIG_KEY.fullmatch(key) or key in (".", ".."):
                why = (
                    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or "
                    "'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
                )
                yield Cause(f"{field}[{key}]", f"Invalid value: {json.dumps(key)}: {why}")


def _validate_config_map(new: Value, old: Value | None) -> Iterator[Cause]:
    yield from _key_causes(new)
    texts = sum(len((text or "").encode()) for text in new.get("data", {}).values())
    if texts + sum(map(_decoded_size, new.get("binaryData", {}).values())) > LARGEST_DATA:
        yield Cause("[]", TOO_LARGE, "FieldValueTooLong")
    yield from _frozen(new, old)


def _decoded_size(text: str | None) -> int:
    return len((text or "").translate(NOT_COUNTED)) * 3 // 4


def _validate_secret(new: Value, old: Value | None) -> Iterator[Cause]:
    yield from _key_causes(new)
    if sum(map(_decoded_size, new.get("data", {}).values())) > LARGEST_DATA:
        yield Cause("data", TOO_LARGE, "FieldValueTooLong")
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
CONFIG_MAPS = Behaviour(complete=_complete_config_map, validate=_validate_config_map)
ENDPOINT_SLICES = Behaviour(complete=_complete_slice, validate=_validate_slice)
NODES = Behaviour(complete=_complete_node, validate=_validate_node)
