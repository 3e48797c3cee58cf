"""Objects as sets of fields, in the terms of managedFields: `f:name`, `k:{"key":…}` and `v:…` (FieldsV1).

A path that is in a set is a field somebody can own: a scalar, an atomic list or map, or an item of a keyed list.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bgplab.backends.embedded.kube.schema.shape import Shape
from bgplab.backends.embedded.kube.schema.validate import key_of

Path = tuple[str, ...]
ANY = Shape(open=True)
_VALUE, _KEYS = json.JSONEncoder(separators=(",", ":")), json.JSONEncoder(separators=(",", ":"), sort_keys=True)
ITEM = object()  # stands for the value of a list item itself: it is there, its fields are compared one by one

NOBODYS = frozenset(
    {("f:apiVersion",), ("f:kind",), ("f:metadata",)}
    | {
        ("f:metadata", f"f:{name}")
        for name in (
            "name",
            "namespace",
            "generateName",
            "uid",
            "resourceVersion",
            "generation",
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "selfLink",
            "managedFields",
        )
    }
)


def fields_of(shape: Shape, value: Any) -> dict[Path, Any]:
    """Every ownable field of an object with its value; what only the server writes is left out."""
    found = dict(_walk(shape, value, ()))
    return {path: inner for path, inner in found.items() if _is_ownable(path)}


def changed_fields(shape: Shape, old: Any, new: Any) -> tuple[set[Path], set[Path]]:
    """Ownable fields of `new` that `old` does not have, or with another value; and those of `old` that are gone.

    As if `fields_of` both were compared, but what is equal is not walked: most of an object is, at most writes.
    """
    comparison = _Comparison()
    comparison.compare(shape, old, new, ())
    return set(filter(_is_ownable, comparison.changed)), set(filter(_is_ownable, comparison.gone))


class _Comparison:
    def __init__(self) -> None:
        self.changed: set[Path] = set()
        self.gone: set[Path] = set()

    def compare(self, shape: Shape, old: Any, new: Any, path: Path) -> None:
        if _has_members(shape, old) and _has_members(shape, new):
            self._members(shape, old, new, path)
        elif is_keyed(shape, old) and is_keyed(shape, new) and old and new:
            self._items(shape, old, new, path)
        else:
            before, after = dict(_walk(shape, old, path)), dict(_walk(shape, new, path))
            self.changed |= {at for at, value in after.items() if at not in before or before[at] != value}
            self.gone |= before.keys() - after.keys()

    def _members(self, shape: Shape, old: dict[str, Any], new: dict[str, Any], path: Path) -> None:
        for name, inner in new.items():
            if name not in old:
                self.changed |= _paths(below(shape, name), inner, (*path, f"f:{name}"))
            elif old[name] != inner:
                self.compare(below(shape, name), old[name], inner, (*path, f"f:{name}"))
        for name in old.keys() - new.keys():
            self.gone |= _paths(below(shape, name), old[name], (*path, f"f:{name}"))

    def _items(self, shape: Shape, old: list[Any], new: list[Any], path: Path) -> None:
        inner = shape.items or ANY
        before = {item_element(shape, item): item for item in old}
        after = {item_element(shape, item): item for item in new}
        for element, item in after.items():
            if element not in before:
                self.changed |= _item_paths(inner, item, (*path, element))
            elif before[element] != item:
                self.compare(inner, before[element], item, (*path, element))
        for element in before.keys() - after.keys():
            self.gone |= _item_paths(inner, before[element], (*path, element))


def _is_ownable(path: Path) -> bool:
    return path not in NOBODYS and path[:2] not in NOBODYS


def _paths(shape: Shape, value: Any, at: Path) -> set[Path]:
    return {path for path, _ in _walk(shape, value, at)}


def _item_paths(shape: Shape, item: Any, at: Path) -> set[Path]:
    return {at} | (_paths(shape, item, at) if isinstance(item, dict) else set())


def _has_members(shape: Shape, value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and shape.map_type != "atomic"


def below(shape: Shape, name: str) -> Shape:
    return shape.properties.get(name) or shape.values or ANY


def item_element(shape: Shape, item: Any) -> str:
    """How an item of a keyed list or a set is named in a path."""
    if shape.list_type == "set":
        return "v:" + _VALUE.encode(item)
    keys = dict(zip(shape.list_keys, key_of(shape, item), strict=True))
    present = {name: value for name, value in keys.items() if value is not None}
    return "k:" + _KEYS.encode(present)


def is_keyed(shape: Shape, value: Any) -> bool:
    return isinstance(value, list) and shape.list_type in ("map", "set")


def _walk(shape: Shape, value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if _has_members(shape, value):
        for name, inner in value.items():
            yield from _walk(below(shape, name), inner, (*path, f"f:{name}"))
    elif is_keyed(shape, value) and value:
        for item in value:
            at = (*path, item_element(shape, item))
            yield at, ITEM
            if isinstance(item, dict):
                yield from _walk(shape.items or ANY, item, at)
    else:
        yield path, value


def encoded(paths: Iterable[Path]) -> dict[str, Any]:
    """Paths as FieldsV1: `{"f:spec": {"f:replicas": {}}}`; "." marks a member that has members below it."""
    root: dict[str, Any] = {}
    members = set(paths)
    for path in sorted(members):
        at = root
        for depth, element in enumerate(path, 1):
            at = at.setdefault(element, {})
            if path[:depth] in members and depth < len(path):
                at["."] = {}
    return root


def decoded(fields: Mapping[str, Any], path: Path = ()) -> set[Path]:
    found: set[Path] = set()
    for element, inner in fields.items():
        if element == ".":
            found.add(path)
        elif inner:
            found |= decoded(inner, (*path, element))
        else:
            found.add((*path, element))
    return found


def contains(fields: Mapping[str, Any], path: Path) -> bool:
    """Whether a path is in a set that is written as FieldsV1."""
    at = fields
    for element in path:
        if element not in at:
            return False
        at = at[element]
    return not at or "." in at


def shown(path: Path) -> str:
    """`.spec.containers[name="web"].image`, as conflicts are reported."""
    return "".join(map(_shown_element, path))


def _shown_element(element: str) -> str:
    kind, _, rest = element.partition(":")
    if kind == "f":
        return f".{rest}"
    if kind == "v":
        return f"[={rest}]"
    pairs = [f"{name}={json.dumps(value)}" for name, value in json.loads(rest).items()]
    return f"[{','.join(pairs)}]"
