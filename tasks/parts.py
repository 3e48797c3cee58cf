"""The parts that a flow walks: a course (what is judged, and how) with the steps that change the lab."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bgplab.checks.stages import number
from bgplab.judge import BGP_LAB as BGP_LAB_COURSE
from bgplab.judge import Course
from bgplab.steps.all import STEPS
from bgplab.steps.outcome import Step


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the guide. steps: by id, in order; the first row, provisioning, is the backend's and none of them."""

    course: Course
    steps: Mapping[str, Step]

    @property
    def first(self) -> str:
        return f"{self.course.letter}01"

    @property
    def last(self) -> str:
        return list(self.course.checks())[-1]

    def checks_after(self, step: str) -> list[str]:
        """Ids of the checks that are judged once a step is done: those from it up to the next step."""
        following = [other for other in (self.first, *self.steps) if number(other) > number(step)]
        end = number(following[0]) if following else number(self.last) + 1
        return [id for id in self.course.checks() if number(step) <= number(id) < end]


BGP_LAB = Part(BGP_LAB_COURSE, STEPS)
