"""Does a value fit its shape? Every misfit is one `Cause`, worded as the Kubernetes API words it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from bgplab.backends.embedded.kube.errors import Cause
from bgplab.backends.embedded.kube.schema.cel.rules import MISSING as NO_OLD
from bgplab.backends.embedded.kube.schema.formats import INTEGERS, fits
from bgplab.backends.embedded.kube.schema.shape import MISSING, Shape

KINDS: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


def misfits(shape: Shape, value: Any, path: str = "", old: Any = NO_OLD) -> list[Cause]:
    """Everything wrong with `value`. `old`: what it replaces, for rules that compare.

    A part that is the very object of `old` has been judged when that was written, and is not judged again.
    """
    found: list[Cause] = []
    _judge(shape, value, path, old, found)
    return found


def first_mistyped(shape: Shape, value: Any, path: str = "") -> Cause | None:
    """The first value, depth first, that is not of its type; nothing else is asked."""
    if not _typed(shape, value):
        return _of_type(shape, value, path)
    if value is None:
        return None
    found = None
    if isinstance(value, dict):
        for name, inner in value.items():
            below = shape.properties.get(name) or shape.values
            if below is not None and inner.__class__ is not below.exact:
                found = found or first_mistyped(below, inner, _at(path, name))
    elif isinstance(value, list) and shape.items is not None:
        for index, item in enumerate(value):
            found = found or first_mistyped(shape.items, item, f"{path}[{index}]")
    for part in shape.all_of:
        found = found or first_mistyped(part, value, path)
    return found


def _judge(shape: Shape, value: Any, path: str, old: Any, found: list[Cause]) -> None:
    if not _typed(shape, value):
        found.append(_of_type(shape, value, path))
        return
    if value is None:
        return
    if not shape.plain:
        found.extend(_limits(shape, value, path))
    if isinstance(value, dict):
        _judge_fields(shape, value, path, old, found)
    elif isinstance(value, list):
        _judge_items(shape, value, path, old, found)
    if shape.plain:
        return
    found.extend(_combined(shape, value, path))
    for rule in shape.rules:
        if (message := rule.broken_by(value, old)) is not None:
            found.append(Cause(path, f"Invalid value: {_brief(value)}: {message}", rule.reason))


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _typed(shape: Shape, value: Any) -> bool:
    if value is None:
        return shape.nullable or shape.open or (shape.type is None and not shape.int_or_string)
    if shape.int_or_string:
        return isinstance(value, int | str) and not isinstance(value, bool)
    if shape.type is None:
        return True
    if shape.type == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, KINDS[shape.type]) and (shape.type == "boolean" or not isinstance(value, bool))


def type_name(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    return next(name for name, kinds in KINDS.items() if isinstance(value, kinds))


def _of_type(shape: Shape, value: Any, path: str) -> Cause:
    wanted = "integer,string" if shape.int_or_string else shape.type
    found = type_name(value)
    return Cause(
        path, f'Invalid value: "{found}": {path} in body must be of type {wanted}: "{found}"', "FieldValueTypeInvalid"
    )


def _brief(value: Any) -> str:
    """Objects and arrays are named by kind in messages, as the real server does; scalars are shown."""
    return f'"{type_name(value)}"' if isinstance(value, dict | list) else json.dumps(value)


Complaint = Callable[[Any, Any], str]
# keyword -> (does it fail?, what to say); lengths are Unicode characters
CHECKS: dict[str, tuple[Callable[[Any, Any], bool], Complaint]] = {
    "minimum": (lambda v, m: _number(v) and v < m, lambda v, m: f"should be greater than or equal to {m}"),
    "maximum": (lambda v, m: _number(v) and v > m, lambda v, m: f"should be less than or equal to {m}"),
    "multipleOf": (lambda v, m: _number(v) and v % m != 0, lambda v, m: f"should be a multiple of {m}"),
    "minLength": (lambda v, m: isinstance(v, str) and len(v) < m, lambda v, m: f"should be at least {m} chars long"),
    "minItems": (lambda v, m: isinstance(v, list) and len(v) < m, lambda v, m: f"should have at least {m} items"),
    "minProperties": (
        lambda v, m: isinstance(v, dict) and len(v) < m,
        lambda v, m: f"should have at least {m} properties",
    ),
}
SIZES: dict[str, tuple[type, str]] = {
    "maxLength": (str, "Too long: may not be more than {} bytes"),
    "maxItems": (list, "Too many: {size}: must have at most {} items"),
    "maxProperties": (dict, "Too many: {size}: must have at most {} items"),
}


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _limits(shape: Shape, value: Any, path: str) -> Iterator[Cause]:
    for keyword, limit in shape.limits.items():
        yield from _limit(shape, keyword, limit, value, path)
    if shape.enum and value not in shape.enum:
        supported = ", ".join(json.dumps(option) for option in shape.enum)
        yield Cause(
            path, f"Unsupported value: {_brief(value)}: supported values: {supported}", "FieldValueNotSupported"
        )
    if isinstance(value, str):
        if shape.pattern is not None and not shape.pattern.search(value):
            yield _in_body(path, value, f"should match '{shape.pattern_text}'")
        if shape.format and not fits(value, shape.format):
            yield _in_body(path, value, f"must be of type {shape.format}: {json.dumps(value)}")
    elif shape.format in INTEGERS and _number(value):
        low, high = INTEGERS[shape.format]
        if not low <= value <= high:
            yield _in_body(path, value, f"must be of type {shape.format}: {json.dumps(value)}")


def _limit(shape: Shape, keyword: str, limit: Any, value: Any, path: str) -> Iterator[Cause]:
    if keyword in SIZES:
        kind, words = SIZES[keyword]
        if isinstance(value, kind) and len(value) > limit:  # type: ignore[arg-type]
            reason = "FieldValueTooLong" if keyword == "maxLength" else "FieldValueTooMany"
            yield Cause(path, words.format(limit, size=len(value)), reason)  # type: ignore[arg-type]
    elif keyword in CHECKS:
        fails, says = CHECKS[keyword]
        exclusive = shape.limits.get(f"exclusive{keyword.capitalize()}") is True
        if fails(value, limit) or (exclusive and value == limit):
            says_exclusively = says(value, limit).replace(" or equal to", "") if exclusive else says(value, limit)
            yield _in_body(path, value, says_exclusively)
    elif keyword == "uniqueItems" and limit and isinstance(value, list):
        yield from _duplicates(value, path)


def _in_body(path: str, value: Any, says: str) -> Cause:
    return Cause(path, f"Invalid value: {_brief(value)}: {path} in body {says}")


def _judge_fields(shape: Shape, value: dict[str, Any], path: str, old: Any, found: list[Cause]) -> None:
    before = old if isinstance(old, dict) else {}
    for name in shape.required:
        if name not in value:
            found.append(Cause(_at(path, name), "Required value", "FieldValueRequired"))
    properties, values = shape.properties, shape.values
    for name, inner in value.items():
        below = properties.get(name) or values
        # Most values are scalars of which only the type is asked: they are not worth a call each.
        if below is None or (inner.__class__ is below.exact and below.plain):
            continue
        previous = before.get(name, NO_OLD)
        if inner is not previous:
            _judge(below, inner, _at(path, name), previous, found)


def _judge_items(shape: Shape, value: list[Any], path: str, old: Any, found: list[Cause]) -> None:
    if shape.list_type == "set":
        found.extend(_duplicates(value, path))
    before = {}
    if shape.list_type == "map":
        found.extend(_duplicate_keys(shape, value, path))
        before = {key_of(shape, item): item for item in (old if isinstance(old, list) else ())}
    items = shape.items
    if items is None:
        return
    for index, item in enumerate(value):
        if item.__class__ is items.exact and items.plain:
            continue
        previous = before.get(key_of(shape, item), NO_OLD) if before else NO_OLD
        if item is not previous:
            _judge(items, item, f"{path}[{index}]", previous, found)


def key_of(shape: Shape, item: Any) -> tuple[Any, ...]:
    """What tells an item of a `map` list from the others; defaults count (`protocol: TCP`)."""
    if not isinstance(item, dict):
        return (json.dumps(item),)
    below = shape.items.properties if shape.items is not None else {}
    defaults = {
        key: below[key].default for key in shape.list_keys if key in below and below[key].default is not MISSING
    }
    return tuple(item.get(key, defaults.get(key)) for key in shape.list_keys)


def _duplicates(value: list[Any], path: str) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, item in enumerate(value):
        text = json.dumps(item, sort_keys=True)
        if text in seen:
            yield Cause(f"{path}[{index}]", f"Duplicate value: {text}", "FieldValueDuplicate")
        seen.add(text)


def _duplicate_keys(shape: Shape, value: list[Any], path: str) -> Iterator[Cause]:
    seen: set[tuple[Any, ...]] = set()
    for index, item in enumerate(value):
        key = key_of(shape, item)
        if key in seen:
            shown = json.dumps(dict(zip(shape.list_keys, key, strict=False)), separators=(",", ":"))
            yield Cause(f"{path}[{index}]", f"Duplicate value: {shown}", "FieldValueDuplicate")
        seen.add(key)


def _fits_all(shape: Shape, value: Any) -> bool:
    return not misfits(shape, value)


def _combined(shape: Shape, value: Any, path: str) -> Iterator[Cause]:
    for part in shape.all_of:
        yield from misfits(part, value, path)
    if shape.any_of and not any(_fits_all(part, value) for part in shape.any_of):
        yield _in_body(path, value, "must validate at least one schema (anyOf)")
    if shape.one_of and sum(_fits_all(part, value) for part in shape.one_of) != 1:
        yield _in_body(path, value, "must validate one and only one schema (oneOf)")
    if shape.none_of is not None and _fits_all(shape.none_of, value):
        yield _in_body(path, value, "must not validate the schema (not)")
