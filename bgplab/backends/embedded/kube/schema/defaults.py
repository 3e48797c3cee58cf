"""Defaults from schemas, filled in place: the caller owns the object."""

from __future__ import annotations

import copy
from typing import Any

from bgplab.backends.embedded.kube.schema.shape import MISSING, Shape


def fill_defaults(shape: Shape, value: Any) -> None:
    """Fill what is absent, top down, so that a defaulted object gets its own fields' defaults, too."""
    if not shape.has_defaults:
        return
    if isinstance(value, dict):
        _fill_fields(shape, value)
    elif isinstance(value, list) and shape.items is not None:
        for item in value:
            fill_defaults(shape.items, item)


def _fill_fields(shape: Shape, value: dict[str, Any]) -> None:
    for name, below in shape.properties.items():
        if name not in value and below.default is not MISSING:
            value[name] = copy.deepcopy(below.default)
        if name in value:
            fill_defaults(below, value[name])
    if shape.values is not None and shape.values.has_defaults:
        for name in value.keys() - shape.properties.keys():
            fill_defaults(shape.values, value[name])
