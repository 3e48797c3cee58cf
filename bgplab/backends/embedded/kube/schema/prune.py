"""What is not in the schema goes: the object without unknown fields, and the list of what went."""

from __future__ import annotations

from typing import Any

from bgplab.backends.embedded.kube.schema.shape import MISSING, OBJECT_META, Shape, builtin_shape

RESOURCE_FIELDS = ("apiVersion", "kind")


def pruned(shape: Shape, value: Any, *, drop_nulls: bool) -> tuple[Any, list[str]]:
    """`value` as the server keeps it, and the paths of unknown fields.

    drop_nulls: built-in kinds read null as absent (Go's zero value); custom resources may allow it.
    """
    unknown: list[str] = []
    return _Pruner(unknown, drop_nulls).value(shape, value, ""), unknown


class _Pruner:
    def __init__(self, unknown: list[str], drop_nulls: bool) -> None:
        self._unknown = unknown
        self._drop_nulls = drop_nulls

    def value(self, shape: Shape, value: Any, path: str) -> Any:
        if isinstance(value, dict):
            kept_whole = _is_free(shape) or shape.type not in (None, "object")  # of a wrong type: validation says so
            return value if kept_whole else self._fields(shape, value, path)
        if isinstance(value, list) and shape.items is not None:
            return [self.value(shape.items, item, f"{path}[{index}]") for index, item in enumerate(value)]
        if shape.format == "quantity" and isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        return value

    def _fields(self, shape: Shape, value: dict[str, Any], path: str) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for name, inner in value.items():
            below = shape.properties.get(name) or shape.values or self._unlisted(shape, name)
            if below is not None and inner.__class__ is str:  # most are, and there is nothing in it
                kept[name] = inner
                continue
            if inner is None and self._skips_null(shape, below):
                continue
            at = f"{path}.{name}" if path else name
            if below is None:
                self._unknown.append(at)
            else:
                kept[name] = self.value(below, inner, at)
        return kept

    def _skips_null(self, shape: Shape, below: Shape | None) -> bool:
        if self._drop_nulls:
            return not shape.open
        # apiextensions: null where it is not allowed counts as absent if there is a default to take its place
        return below is not None and not below.nullable and below.default is not MISSING

    def _unlisted(self, shape: Shape, name: str) -> Shape | None:
        """The shape of a field that the schema does not name; None when it goes."""
        if shape.embedded and name in (*RESOURCE_FIELDS, "metadata"):
            return builtin_shape(OBJECT_META) if name == "metadata" else ANYTHING
        return ANYTHING if shape.open else None


def _is_free(shape: Shape) -> bool:
    """Nothing is said about what is in it: it holds whatever it is given."""
    unsaid = shape.open or (shape.type is None and not shape.embedded)
    return unsaid and not shape.properties and shape.values is None and not shape.embedded


ANYTHING = Shape(open=True)
