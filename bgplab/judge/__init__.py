"""Runs checks against a lab: `run` for verdicts, `stage_of` for where a lab stands; a Course says which and how."""

from bgplab.judge.bgp_lab import BGP_LAB
from bgplab.judge.context import Context
from bgplab.judge.course import Course
from bgplab.judge.judging import run
from bgplab.judge.stage import stage_of

__all__ = ["BGP_LAB", "Context", "Course", "run", "stage_of"]
