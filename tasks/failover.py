"""The events of flow `failover` as Prefect tasks: each makes one event under traffic, undoes it, and judges both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prefect import Task, task
from prefect.cache_policies import NO_CACHE

from bgplab.spec.model import LabSpec
from bgplab.steps.failover.all import EVENT_STEPS
from bgplab.steps.failover.event import Conditions, subject
from tasks.guide import may_be_late, step_task, verdicts
from tasks.parts import FAILOVER
from tasks.walk import Walk

__all__ = ["EVENT_TASKS", "Conditions", "chosen", "refuse_unknown_node", "walk_to_the_last_step"]

LONGEST_EVENT_SECONDS = 900  # a node's own retry may take twice its connect-retry time

walk_to_the_last_step = step_task("E02", FAILOVER)


def event_task(id: str) -> Task[[Walk, Conditions], dict[str, str]]:
    """The task of one event; it returns the verdicts of its two checks. One retry, for a lab that broke on the way."""
    step = FAILOVER.steps[id]

    @task(
        name=f"{id} {step.title}",
        description=step.do.__doc__,
        retries=1,
        retry_delay_seconds=3,
        retry_condition_fn=may_be_late,
        timeout_seconds=LONGEST_EVENT_SECONDS,
        cache_policy=NO_CACHE,
        persist_result=False,
    )
    def make_and_judge(walk: Walk, conditions: Conditions) -> dict[str, str]:
        if not walk.wants(id):
            return {}
        walk.do(id, conditions=conditions)
        return verdicts(walk.judge(id))

    return make_and_judge


EVENT_TASKS: Mapping[str, Task[[Walk, Conditions], dict[str, str]]] = {
    name: event_task(id) for name, id in EVENT_STEPS.items()
}


def refuse_unknown_node(spec: LabSpec, conditions: Conditions) -> None:
    """Raises InputError for a node that the description does not have."""
    subject(spec, conditions)


def chosen(events: Sequence[str]) -> list[Task[[Walk, Conditions], dict[str, str]]]:
    """The tasks of these events, in the flow's order, each once."""
    return [task for name, task in EVENT_TASKS.items() if name in events]
