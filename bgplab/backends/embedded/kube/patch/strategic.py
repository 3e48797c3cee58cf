"""Strategic merge patch of built-in kinds: lists merge by the keys their schemas name, `$patch` is obeyed."""

from __future__ import annotations

from typing import Any

from bgplab.backends.embedded.kube.errors import bad_request
from bgplab.backends.embedded.kube.schema.shape import Shape

PATCH = "$patch"
DELETE_FROM = "$deleteFromPrimitiveList/"
ORDER = "$setElementOrder/"
RETAIN = "$retainKeys"


def strategic_patched(shape: Shape, document: Any, patch: Any) -> Any:
    """The merged document. Neither argument is changed. Raises 400 for directives that make no sense."""
    if not isinstance(patch, dict):
        return patch
    directive = patch.get(PATCH, "merge")
    if directive == "replace":
        return {name: value for name, value in patch.items() if name != PATCH}
    if directive == "delete":
        return {}
    if directive != "merge":
        raise bad_request(f"unknown patch type found: {directive}")
    return _merge_map(shape, document if isinstance(document, dict) else {}, patch)


def _merge_map(shape: Shape, document: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    merged = _retained(document, patch.get(RETAIN))
    for name, value in patch.items():
        if name.startswith(DELETE_FROM):
            field = name.removeprefix(DELETE_FROM)
            if field in merged:
                merged[field] = [item for item in merged[field] if item not in value]
        elif not name.startswith("$"):
            _merge_field(shape, merged, name, value)
    for name, value in patch.items():
        if name.startswith(ORDER) and isinstance(merged.get(name.removeprefix(ORDER)), list):
            field = name.removeprefix(ORDER)
            merged[field] = _ordered(_field_shape(shape, field), merged[field], value)
    return merged


def _retained(document: dict[str, Any], keys: Any) -> dict[str, Any]:
    return dict(document) if keys is None else {name: document[name] for name in document if name in keys}


def _field_shape(shape: Shape, name: str) -> Shape:
    return shape.properties.get(name) or shape.values or Shape()


def _merge_field(shape: Shape, merged: dict[str, Any], name: str, value: Any) -> None:
    below = _field_shape(shape, name)
    if value is None:
        merged.pop(name, None)
    elif isinstance(value, list) and isinstance(merged.get(name), list) and "merge" in below.merge_strategy:
        merged[name] = _merge_list(below, merged[name], value)
    elif isinstance(value, dict):
        merged[name] = strategic_patched(below, merged.get(name), value)
    else:
        merged[name] = _without_directives(below, value)


def _merge_list(shape: Shape, present: list[Any], patch: list[Any]) -> list[Any]:
    if any(isinstance(item, dict) and item.get(PATCH) == "replace" for item in patch):
        return [item for item in patch if not (isinstance(item, dict) and item.get(PATCH) == "replace")]
    if not shape.merge_key:
        return present + [item for item in patch if item not in present]
    merged = list(present)
    for item in patch:
        _merge_item(shape, merged, item)
    return merged


def _merge_item(shape: Shape, merged: list[Any], item: Any) -> None:
    key = item.get(shape.merge_key) if isinstance(item, dict) else None
    if key is None:
        raise bad_request(f"map: {item} does not contain declared merge key: {shape.merge_key}")
    at = next((index for index, other in enumerate(merged) if other.get(shape.merge_key) == key), None)
    if item.get(PATCH) == "delete":
        merged[:] = [other for other in merged if other.get(shape.merge_key) != key]
    elif at is None:
        merged.append(strategic_patched(shape.items or Shape(), {}, item))
    else:
        merged[at] = strategic_patched(shape.items or Shape(), merged[at], item)


def _without_directives(shape: Shape, value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return [strategic_patched(shape.items or Shape(), {}, item) if isinstance(item, dict) else item for item in value]


def _ordered(shape: Shape, items: list[Any], order: list[Any]) -> list[Any]:
    """Put the items named in `order` into that order; others stay where they are relative to the ones before them."""
    wanted = [_merge_key(shape, item) for item in order]
    named = [item for item in items if _merge_key(shape, item) in wanted]
    queue = iter(sorted(named, key=lambda item: wanted.index(_merge_key(shape, item))))
    return [next(queue) if _merge_key(shape, item) in wanted else item for item in items]


def _merge_key(shape: Shape, item: Any) -> Any:
    return item.get(shape.merge_key) if isinstance(item, dict) else item
