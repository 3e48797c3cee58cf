"""Pydantic's error details → problems in the words of this project."""

from __future__ import annotations

import difflib
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from bgplab.errors import Problem
from bgplab.spec.places import Path
from bgplab.spec.values import RefusedValueError, shown

# pydantic's error type → what is meant, and how it is written
_MEANT = {
    "int_type": ("a whole number", "write digits only, without quotes"),
    "bool_type": ("a switch", "write true or false"),
    "string_type": ("text", "put it in quotes"),
    "tuple_type": ("a list", "write [one, two], or each item on a line of its own after '- '"),
    "model_type": ("a mapping of fields", "write 'field: value' lines"),
    "dict_type": ("a mapping of fields", "write 'field: value' lines"),
}


def translate(fault: ErrorDetails, where: str, path: Path, model: type[BaseModel]) -> Problem:
    """One fault, found at `path` of `model`."""
    cause = fault.get("ctx", {}).get("error")
    if isinstance(cause, RefusedValueError):
        return Problem(where, cause.what, cause.why, cause.do)
    if fault["type"] == "extra_forbidden":
        return _unknown_field(where, path, model)
    if fault["type"] == "missing":
        return _missing_field(where, path, model)
    if fault["type"] == "literal_error":
        expected = fault["ctx"]["expected"]
        return Problem(where, f"{shown(fault['input'])} is not {expected}", _about(path, model), f"write {expected}")
    meant, do = _MEANT.get(fault["type"], ("", ""))
    if fault["input"] is None:
        return Problem(where, "it has no value", _about(path, model), f"write {meant}, or leave it out")
    what = f"{shown(fault['input'])} is not {meant}" if meant else f"{shown(fault['input'])}: {fault['msg']}"
    return Problem(where, what, _about(path, model), do)


def _unknown_field(where: str, path: Path, model: type[BaseModel]) -> Problem:
    known = list(_model_at(path[:-1], model).model_fields)
    near = difflib.get_close_matches(str(path[-1]), known, n=1)
    return Problem(
        where,
        f"{shown(path[-1])} is not a field here",
        "what is not understood would be silently without effect",
        f"did you mean {near[0]!r}?" if near else f"known fields are {', '.join(known)}",
    )


def _missing_field(where: str, path: Path, model: type[BaseModel]) -> Problem:
    name = str(path[-1])
    return Problem(where, f"{name!r} is missing", _about(path, model), f"add '{name}: …'")


def _about(path: Path, model: type[BaseModel]) -> str:
    """What the field a path leads to (or its list, for an item) means."""
    names = [index for index, part in enumerate(path) if isinstance(part, str)]
    if not names:
        return ""
    last = names[-1]
    found = _model_at(path[:last], model).model_fields.get(str(path[last]))
    return f"{path[last]!s} means: {found.description}" if found else ""


def _model_at(path: Path, model: type[BaseModel]) -> type[BaseModel]:
    """The model that describes the mapping a path leads to."""
    for part in path:
        if isinstance(part, str):
            model = _model_in(model.model_fields[part]) or model
    return model


def _model_in(field: FieldInfo) -> type[BaseModel] | None:
    candidates: list[Any] = [field.annotation, *get_args(field.annotation)]
    return next((part for part in candidates if isinstance(part, type) and issubclass(part, BaseModel)), None)
