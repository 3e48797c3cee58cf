"""The parts that a flow walks: a course (what is judged, and how) with the steps that change the lab."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bgplab.checks.stages import number
from bgplab.errors import InputError
from bgplab.judge import BGP_LAB as BGP_LAB_COURSE
from bgplab.judge import Course
from bgplab.judge.cluster_mesh import CLUSTER_MESH as CLUSTER_MESH_COURSE
from bgplab.judge.failover import FAILOVER as FAILOVER_COURSE
from bgplab.spec.model import LabSpec
from bgplab.steps.all import STEPS
from bgplab.steps.failover.all import EVENTS
from bgplab.steps.mesh import MESH_STEPS
from bgplab.steps.outcome import Step


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the guide. steps: by id, in order; the first row, provisioning, is the backend's and none of them.

    several: whether it is about several clusters, and not about one.
    """

    course: Course
    steps: Mapping[str, Step]
    several: bool = False

    @property
    def first(self) -> str:
        return f"{self.course.letter}01"

    @property
    def last(self) -> str:
        return list(self.course.checks())[-1]

    def fits(self, spec: LabSpec) -> bool:
        return self.several is (len(spec.clusters) > 1)

    def refuse_unfit(self, spec: LabSpec) -> None:
        """Raises InputError for a description of the other kind."""
        if self.fits(spec):
            return
        asked = "several clusters" if self.several else "one cluster"
        there = "one cluster" if len(spec.clusters) == 1 else f"{len(spec.clusters)} clusters"
        raise InputError(
            "--lab",
            f"lab {spec.name!r} has {there}, these steps are about {asked}",
            "",
            "name a description such as mesh"
            if self.several
            else "name a description such as guide, or run cluster-mesh",
        )

    def checks_after(self, step: str) -> list[str]:
        """Ids of the checks that are judged once a step is done: those from it up to the next step."""
        following = [other for other in (self.first, *self.steps) if number(other) > number(step)]
        end = number(following[0]) if following else number(self.last) + 1
        return [id for id in self.course.checks() if number(step) <= number(id) < end]


BGP_LAB = Part(BGP_LAB_COURSE, STEPS)
FAILOVER = Part(FAILOVER_COURSE, EVENTS)
CLUSTER_MESH = Part(CLUSTER_MESH_COURSE, MESH_STEPS, several=True)


def part_for(spec: LabSpec) -> Part:
    """The part of the guide that a description is for."""
    return next(part for part in (BGP_LAB, CLUSTER_MESH) if part.fits(spec))
