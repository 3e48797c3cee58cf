"""Data → model, with every problem at once.

Pydantic reports all values that are wrong by themselves, but then gives no model, and rules between values need one.
So what cannot be read is taken out and the rest is read again: the rules can judge what is left, and each knows which
fields must have been readable for it to say anything (`validation.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from bgplab.errors import Problem
from bgplab.spec.faults import translate
from bgplab.spec.model import LabSpec
from bgplab.spec.places import Path, Places, field_of


@dataclass(frozen=True, slots=True)
class Shaped:
    """What could be read of a description.

    draft: leads from a path in `spec` to the path in the data; they differ behind list items that were taken out.
    unread: fields that are incomplete in `spec`.
    """

    spec: LabSpec
    problems: tuple[Problem, ...]
    draft: Draft
    unread: frozenset[Path]


class Draft:
    """Data from which unreadable parts are taken out, one by one."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data
        self._out: set[Path] = set()

    def take_out(self, path: Path) -> None:
        self._out.add(path)

    def is_out(self, path: Path) -> bool:
        return path in self._out

    def left(self) -> Any:
        return self._copy(self._data, ())

    def original(self, path: Path) -> Path:
        """The path in the data of what has `path` in what is left."""
        at: Any = self._data
        found: Path = ()
        for part in path:
            if isinstance(part, int) and isinstance(at, list):
                part = self._kept(at, found)[part]
                at = at[part]
            elif isinstance(at, dict):
                at = at.get(part)
            found = (*found, part)
        return found

    def _copy(self, value: Any, path: Path) -> Any:
        if isinstance(value, dict):
            return {key: self._copy(part, (*path, key)) for key, part in value.items() if (*path, key) not in self._out}
        if isinstance(value, list):
            return [self._copy(value[index], (*path, index)) for index in self._kept(value, path)]
        return value

    def _kept(self, value: list[Any], path: Path) -> list[int]:
        return [index for index in range(len(value)) if (*path, index) not in self._out]


# What stands in for a missing top-level field, so that the rest can be judged.
_STAND_INS: dict[str, Any] = {"name": "unnamed", "subnets": [], "routers": [], "clusters": []}


def shape(data: dict[str, Any], places: Places, unread: Iterable[Path] = ()) -> Shaped:
    """Read a description. `unread`: fields already known to be incomplete. Ends, as every round takes something out."""
    draft = Draft(data)
    problems: list[Problem] = []
    incomplete = set(unread)
    stand_ins: dict[str, Any] = {}
    while True:
        try:
            spec = LabSpec.model_validate({**stand_ins, **draft.left()})
            return Shaped(spec, tuple(problems), draft, frozenset(incomplete))
        except ValidationError as error:
            faults = [(fault, draft.original(fault["loc"])) for fault in error.errors(include_url=False)]
        problems += [
            translate(fault, places.where(path), path, LabSpec) for fault, path in faults if not draft.is_out(path)
        ]
        for fault, path in faults:
            incomplete |= {field_of(path)} if fault["type"] != "extra_forbidden" else set()
            if fault["type"] != "missing":
                draft.take_out(path)
            elif item := _enclosing_item(path):
                incomplete.add(field_of(item))
                draft.take_out(item)
            else:
                stand_ins[str(path[0])] = _STAND_INS[str(path[0])]


def _enclosing_item(path: Path) -> Path:
    """The innermost list item around a field: ('routers', 0, 'addresses') → ('routers', 0). Or ()."""
    while path and not isinstance(path[-1], int):
        path = path[:-1]
    return path
