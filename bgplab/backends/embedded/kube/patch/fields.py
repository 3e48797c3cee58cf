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
    return {path: inner for path, inner in found.items() if path not in NOBODYS and path[:2] not in NOBODYS}


def below(shape: Shape, name: str) -> Shape:
    return shape.properties.get(name) or shape.values or ANY


def item_element(shape: Shape, item: Any) -> str:
    """How an item of a keyed list or a set is named in a path."""
    if shape.list_type == "set":
        return "v:" + json.dumps(item, separators=(",", ":"))
    keys = dict(zip(shape.list_keys, key_of(shape, item), strict=True))
    present = {name: value for name, value in keys.items() if value is not None}
    return "k:" + json.dumps(present, separators=(",", ":"), sort_keys=True)


def is_keyed(shape: Shape, value: Any) -> bool:
    return isinstance(value, list) and shape.list_type in ("map", "set")


def _walk(shape: Shape, value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict) and value and shape.map_type != "atomic":
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
