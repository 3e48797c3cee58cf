"""Server-side apply on plain data: merge what is applied, take away what its manager gave up."""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import Any

from bgplab.backends.embedded.kube.patch.fields import ANY, Path, below, is_keyed, item_element
from bgplab.backends.embedded.kube.schema.shape import Shape


def merged(shape: Shape, live: Any, applied: Any) -> Any:
    """Granular maps and keyed lists are merged, the rest is replaced. Neither argument is changed."""
    if isinstance(live, dict) and isinstance(applied, dict) and shape.map_type != "atomic":
        result = dict(live)
        for name, value in applied.items():
            result[name] = merged(below(shape, name), live.get(name), value)
        return result
    if is_keyed(shape, live) and is_keyed(shape, applied):
        return _merged_items(shape, live, applied)
    return applied


def _merged_items(shape: Shape, live: list[Any], applied: list[Any]) -> list[Any]:
    """Live items keep their places; new ones follow in the order applied."""
    wanted = {item_element(shape, item): item for item in applied}
    result = []
    for item in live:
        given = wanted.pop(item_element(shape, item), None)
        result.append(item if given is None else merged(shape.items or ANY, item, given))
    return [*result, *wanted.values()]


def without(shape: Shape, value: Any, paths: Iterable[Path], kept: Set[Path]) -> Any:
    """The object without `paths`. An item in which others still own something (`kept`) stays for their sake."""
    for path in sorted(paths, key=len):  # an item before its fields: without its keys it would not be found
        if not any(other[: len(path)] == path for other in kept):
            value = _removed(shape, value, path)
    return value


def _removed(shape: Shape, value: Any, path: Path) -> Any:
    element, rest = path[0], path[1:]
    if isinstance(value, dict) and element.startswith("f:"):
        return _without_field(shape, value, element[2:], rest)
    if is_keyed(shape, value):
        return _without_item(shape, value, element, rest)
    return value


def _without_field(shape: Shape, value: dict[str, Any], name: str, rest: Path) -> dict[str, Any]:
    if name not in value:
        return value
    result = dict(value)
    if rest:
        result[name] = _removed(below(shape, name), value[name], rest)
    if not rest or (result[name] in ({}, []) and value[name] not in ({}, [])):
        del result[name]
    return result


def _without_item(shape: Shape, value: list[Any], element: str, rest: Path) -> list[Any]:
    if not rest:
        return [item for item in value if item_element(shape, item) != element]
    return [
        _removed(shape.items or ANY, item, rest) if item_element(shape, item) == element else item for item in value
    ]
