"""Runs checks against a lab: `run` for verdicts, `stage_of` for where a lab stands."""

from bgplab.judge.context import Context
from bgplab.judge.judging import run
from bgplab.judge.stage import stage_of

__all__ = ["Context", "run", "stage_of"]
