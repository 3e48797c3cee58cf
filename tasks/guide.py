"""The guide's steps as Prefect tasks: each does one step and judges what must be seen after it.

Retries are for a world that may be late, never for wrong input. Nothing is cached: every task looks at the world.
They carry no tags: for each one Prefect asks the server for a concurrency slot before every task, and on SQLite that
took 4.6 s of a profiled run of 45 s (one client, two cores). The deployments' flow runs are tagged instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun

from bgplab.errors import LabError
from bgplab.results.record import CheckResult
from tasks.parts import BGP_LAB, Part
from tasks.walk import Walk

Chapter = TypeVar("Chapter", bound=Task[Any, Any])


def may_be_late(task: Task[Any, Any], run: TaskRun, state: State[Any]) -> bool:
    """Retry when the lab did not do what it must in time; anything else would fail again."""
    try:
        state.result()
    except LabError:
        return True
    except BaseException:
        return False
    return False


def step_task(id: str, part: Part = BGP_LAB) -> Task[[Walk], dict[str, str]]:
    """The task of one step; it returns the verdicts of the checks that follow the step."""
    step = part.steps[id]

    @task(
        name=f"{id} {step.title}",
        description=step.do.__doc__,
        retries=2,
        retry_delay_seconds=[1, 3],
        retry_condition_fn=may_be_late,
        timeout_seconds=300,
        cache_policy=NO_CACHE,
        persist_result=False,
    )
    def do_and_judge(walk: Walk) -> dict[str, str]:
        if not walk.wants(id):
            return {}
        walk.do(id)
        return verdicts(walk.judge(id))

    return do_and_judge


@task(
    name="provision",
    retries=2,
    retry_delay_seconds=[1, 3],
    retry_condition_fn=may_be_late,
    cache_policy=NO_CACHE,
    persist_result=False,
)
def provision(walk: Walk, holder: str) -> dict[str, str]:
    """Bring the lab up, or take up the one that stands, and judge what must be there at once (G01, G02)."""
    if not walk.is_open:
        walk.provision(holder)
    return verdicts(walk.judge(walk.part.first))


def wanted(walk: Walk, chapters: Iterable[Chapter]) -> list[Chapter]:
    """The tasks of steps up to where the walk goes (their names begin with the step's id): others are not even run."""
    return [chapter for chapter in chapters if walk.wants(chapter.name.split()[0])]


def verdicts(results: list[CheckResult]) -> dict[str, str]:
    return {result.id: result.verdict.value for result in results}


deploy_sample_app = step_task("G03")
configure_router = step_task("G07")
add_peers = step_task("G08")
restart_frr = step_task("G09")
label_nodes = step_task("G10")
apply_bgp_resources = step_task("G11")
add_pod_routes = step_task("G15")
create_pool = step_task("G18")
make_load_balancer = step_task("G19")
advertise_service = step_task("G21")
set_traffic_policy = step_task("G24")
move_pods = step_task("G26")
set_hash_policy = step_task("G28")
