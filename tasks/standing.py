"""Tasks for a lab that stands: take it as it is, and judge it. Nothing is changed, so nothing is repeated either."""

from __future__ import annotations

from collections.abc import Mapping

from prefect import task
from prefect.cache_policies import NO_CACHE

from bgplab.checks.registry import Check
from bgplab.observe.load import LoadRuns
from bgplab.observe.mesh_load import MeshLoads
from tasks.guide import verdicts
from tasks.walk import Walk

#: Observations that are load tests.
LOADS = frozenset({LoadRuns, MeshLoads})


@task(name="take up the lab that stands", cache_policy=NO_CACHE, persist_result=False)
def take_up(walk: Walk, holder: str) -> str:
    """Wait for the lab's lock, open it, and read from the world at which stage it is."""
    walk.provision(holder)
    return walk.stage


@task(name="judge what is there", timeout_seconds=600, cache_policy=NO_CACHE, persist_result=False)
def judge_what_is_there(walk: Walk) -> dict[str, str]:
    """Judge all checks but load tests, each in its stage."""
    return verdicts(walk.judge_checks([id for id, check in _checks(walk).items() if not LOADS & set(check.needs)]))


@task(name="load tests", timeout_seconds=600, cache_policy=NO_CACHE, persist_result=False)
def judge_load(walk: Walk) -> dict[str, str]:
    """Send connections and judge where they went."""
    return verdicts(walk.judge_checks([id for id, check in _checks(walk).items() if LOADS & set(check.needs)]))


def _checks(walk: Walk) -> Mapping[str, Check]:
    return walk.part.course.checks()
