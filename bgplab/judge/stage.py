"""Which stage a lab is in, read from the world: the last step that has left its trace.

A trace anywhere counts, also of a step that was only half done: what held before it has passed. That a later trace is
there while an earlier one is missing is no contradiction but something broken, and the checks say what. What may look
so before its step, as a Service that is described with the policy Local, is a trace only beside one of a step before.
"""

from __future__ import annotations

from collections.abc import Callable

from bgplab.checks.stages import later
from bgplab.errors import LabError
from bgplab.judge.bgp_lab import BGP_LAB
from bgplab.judge.context import Context
from bgplab.judge.course import Course
from bgplab.judge.sight import Sight
from bgplab.lab.model import Lab
from bgplab.observe.side_by_side import side_by_side
from bgplab.spec.model import LabSpec


def stage_of(lab: Lab, spec: LabSpec, course: Course = BGP_LAB) -> str:
    """The last step whose effect is there: `G14`-like ids, `G00` when there is not even a node."""
    sight = Sight(lab, spec, course.nothing, Context(), course)

    def trace(step: str) -> str:
        return step if _left(course.traces[step], sight) else course.nothing

    stage = course.nothing
    for found in side_by_side(trace, course.traces):
        stage = later(stage, found)
    return stage


def _left(trace: Callable[[Sight], bool], sight: Sight) -> bool:
    """What cannot be looked at has left no trace that one could see; the checks will name the fault."""
    try:
        return trace(sight)
    except LabError:
        return False
