"""A course: one part of the guide as the judge knows it. A flow walks one course; a new part is a new value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bgplab.checks.registry import Check
from bgplab.lab.model import Lab
from bgplab.results.record import Topology
from bgplab.spec.model import LabSpec

if TYPE_CHECKING:
    from bgplab.judge.sight import Sight


@dataclass(frozen=True, slots=True)
class Course:
    """Whose checks these are, how what they need is seen, what is to be expected, and where a lab stands.

    letter: first of its ids (`G`: G01, G02 …). checks: by id, in order. readers: an observation's type → how it is
    made. slow: observations that take their time; checks that need one are judged beside the others. grounds: the
    observations that the expectation is drawn from, kept as evidence with every verdict. expectation: what checks get
    as their last argument. traces: step id → whether that step has left its trace in the world. by_hand: the commands
    a person would type; the sight is None without a lab. judged: called after each verdict, to keep what reports show.
    """

    letter: str
    checks: Callable[[], Mapping[str, Check]]
    readers: Mapping[type, Callable[[Sight], Any]]
    slow: frozenset[type]
    grounds: tuple[type, ...]
    expectation: Callable[[Sight], Any]
    traces: Mapping[str, Callable[[Sight], bool]]
    by_hand: Callable[[Check, LabSpec, Sight | None], tuple[str, ...]]
    topology: Callable[[Lab, LabSpec], Topology]
    versions: Callable[[Lab, LabSpec], dict[str, str]]
    judged: Callable[[Check, Sight], None] = lambda check, sight: None

    @property
    def nothing(self) -> str:
        """The stage of a lab that is not there yet: `G00`."""
        return f"{self.letter}00"
