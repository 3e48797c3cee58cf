"""managedFields: who wrote which field, kept on every write as the real server keeps it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from bgplab.backends.embedded.kube.patch.fields import Path, changed_fields, contains, decoded, encoded, fields_of
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
    return Claim(_writer(entry), frozenset(decoded(entry.get("fieldsV1", {}))), entry.get("time", ""))


def _writer(entry: Value) -> Writer:
    return Writer(
        entry["manager"], entry.get("operation", "Update"), entry.get("apiVersion", ""), entry.get("subresource", "")
    )


def entries_of(claims: Iterable[Claim]) -> list[Value]:
    """Empty claims vanish; Apply first, then by time and name, as the real server sorts."""
    return sorted((_entry(claim) for claim in claims if claim.paths), key=_rank)


def _rank(entry: Value) -> tuple[bool, str, str]:
    return entry["operation"] != "Apply", entry.get("time", ""), entry["manager"]


def _entry(claim: Claim) -> Value:
    writer = claim.writer
    entry: dict[str, Any] = {"manager": writer.manager, "operation": writer.operation}
    entry |= {"apiVersion": writer.api_version} if writer.api_version else {}
    entry |= {"time": claim.time} if claim.time else {}
    entry |= {"fieldsType": "FieldsV1", "fieldsV1": encoded(claim.paths)}
    return entry | ({"subresource": writer.subresource} if writer.subresource else {})


def updated_by(resource: Resource, manager: str, now: str, subresource: str = "") -> Ownership:
    """Ownership after a create, update or patch: the fields that changed are the writer's, nobody else's."""
    writer = Writer(manager, "Update", resource.api_version, subresource)

    def owned(old: Value | None, new: Value) -> list[Value]:
        if old is None:
            changed, gone = set(fields_of(resource.shape, new)), set[Path]()
        else:
            changed, gone = changed_fields(resource.shape, old, new)
        entries = _held(old, new)
        return _reassigned(entries, writer, changed, gone, now) if changed or gone else entries

    return owned


def _held(old: Value | None, new: Value) -> list[Value]:
    """A client may rewrite managedFields itself: kubectl does when it moves from client-side to server-side apply.

    What cannot be read is passed over, as by the real server, and the live object's stay.
    """
    given = new["metadata"].get("managedFields")
    held = (old or {}).get("metadata", {}).get("managedFields")
    readable = given is not None and all(_is_tree(entry.get("fieldsV1", {})) for entry in given)
    return entries_of(claims_of(new)) if readable and given != held else held or []


def _is_tree(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_tree, value.values()))


def _reassigned(entries: Iterable[Value], writer: Writer, changed: set[Path], gone: set[Path], now: str) -> list[Value]:
    """The entries after a write. One that has none of the fields in question stays as it is, unread."""
    touched = changed | gone
    own: Value | None = None
    others: list[Value] = []
    for entry in entries:
        if _writer(entry) == writer:
            own = own or entry
        elif any(contains(entry["fieldsV1"], path) for path in touched):
            others += entries_of([_claim(entry).without(touched)])
        else:
            others.append(entry)
    return sorted([*others, *_own(own, writer, changed, gone, now)], key=_rank)


def _own(entry: Value | None, writer: Writer, changed: set[Path], gone: set[Path], now: str) -> list[Value]:
    """The writer's entry: its fields and the changed ones, without those that are gone; none when nothing is left."""
    if entry is None:
        return entries_of([Claim(writer, frozenset(changed), now)])
    held = entry["fieldsV1"]
    if all(contains(held, path) for path in changed) and not any(contains(held, path) for path in gone):
        return [{**entry, "time": now}]
    return entries_of([Claim(writer, (_claim(entry).paths | changed) - gone, now)])
