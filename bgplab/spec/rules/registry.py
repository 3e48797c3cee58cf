"""What a rule is: a function that yields every breach it finds in a description."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bgplab.spec.model import LabSpec
from bgplab.spec.places import Path


@dataclass(frozen=True, slots=True)
class Breach:
    """A rule broken at `path` of the description; the rest as in `Problem`."""

    path: Path
    what: str
    why: str
    do: str


Judge = Callable[[LabSpec], Iterator[Breach]]


@dataclass(frozen=True, slots=True)
class Rule:
    """needs: fields that must have been readable wherever they occur, or the rule keeps silent."""

    judge: Judge
    needs: frozenset[Path]


RULES: list[Rule] = []


def rule(*needs: str) -> Callable[[Judge], Judge]:
    def register(judge: Judge) -> Judge:
        RULES.append(Rule(judge, frozenset(tuple(field.split(".")) for field in needs)))
        return judge

    return register
