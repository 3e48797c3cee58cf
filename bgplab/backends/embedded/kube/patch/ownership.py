"""managedFields: who wrote which field, kept on every write as the real server keeps it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from bgplab.backends.embedded.kube.patch.fields import Path, decoded, encoded, fields_of
from bgplab.backends.embedded.kube.resources import Resource
from bgplab.backends.embedded.kube.store.item import Value

# (the object before, the object to be stored) -> its managedFields
Ownership = Callable[[Value | None, Value], list[Value]]


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes: one entry of managedFields. operation: Apply or Update."""

    manager: str
    operation: str
    api_version: str
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a writer owns, since when it last changed."""

    writer: Writer
    paths: frozenset[Path]
    time: str

    def without(self, paths: Iterable[Path]) -> Claim:
        return replace(self, paths=self.paths.difference(paths))


def claims_of(value: Value | None) -> list[Claim]:
    """The entries of an object. `[{}]` is how a client asks for none."""
    entries = (value or {}).get("metadata", {}).get("managedFields") or []
    return [_claim(entry) for entry in entries if entry.get("manager")]


def _claim(entry: Value) -> Claim:
    writer = Writer(
        entry["manager"], entry.get("operation", "Update"), entry.get("apiVersion", ""), entry.get("subresource", "")
    )
    return Claim(writer, frozenset(decoded(entry.get("fieldsV1", {}))), entry.get("time", ""))


def entries_of(claims: Iterable[Claim]) -> list[Value]:
    """Empty claims vanish; Apply first, then by time and name, as the real server sorts."""
    kept = sorted(
        (claim for claim in claims if claim.paths),
        key=lambda claim: (claim.writer.operation != "Apply", claim.time, claim.writer.manager),
    )
    return [_entry(claim) for claim in kept]


def _entry(claim: Claim) -> Value:
    writer = claim.writer
    entry: dict[str, Any] = {"manager": writer.manager, "operation": writer.operation}
    entry |= {"apiVersion": writer.api_version} if writer.api_version else {}
    entry |= {"time": claim.time} if claim.time else {}
    entry |= {"fieldsType": "FieldsV1", "fieldsV1": encoded(claim.paths)}
    return entry | ({"subresource": writer.subresource} if writer.subresource else {})


def updated_by(resource: Resource, manager: str, now: str, subresource: str = "") -> Ownership:
    """Ownership after a create, update or patch: the fields that changed are the writer's, nobody else's."""
    kept_as = "" if subresource == "scale" else resource.api_version
    writer = Writer(manager, "Update", kept_as or "autoscaling/v1", subresource)

    def owned(old: Value | None, new: Value) -> list[Value]:
        before = fields_of(resource.shape, old) if old is not None else {}
        after = fields_of(resource.shape, new)
        changed = {path for path, value in after.items() if path not in before or before[path] != value}
        gone = before.keys() - after.keys()
        claims = _base(old, new)
        if not changed and not gone:
            return entries_of(claims)
        return entries_of(_reassigned(claims, writer, changed, gone, now))

    return owned


def _base(old: Value | None, new: Value) -> list[Claim]:
    """A client may rewrite managedFields itself: kubectl does when it moves from client-side to server-side apply."""
    given = new["metadata"].get("managedFields")
    held = (old or {}).get("metadata", {}).get("managedFields")
    return claims_of(new if given is not None and given != held else old)


def _reassigned(claims: list[Claim], writer: Writer, changed: set[Path], gone: Iterable[Path], now: str) -> list[Claim]:
    gone = set(gone)
    others = [claim.without(changed | gone) for claim in claims if claim.writer != writer]
    held = next((claim.paths for claim in claims if claim.writer == writer), frozenset())
    return [*others, Claim(writer, (held | changed) - gone, now)]
