"""A lab that stands, judged again: checks and load tests, nothing changed, what differs from the last time named."""

from __future__ import annotations

from typing import Any, Literal

from prefect import flow
from prefect.runtime import flow_run
from prefect.states import State

from tasks.flow_parameters import overrides_as_yaml
from tasks.records import again_checking
from tasks.reporting import followed, tell_drift, walked
from tasks.standing import judge_load, judge_what_is_there, take_up
from tasks.telling import tell
from tasks.walk import walk_standing

FLOW = "revalidate"

CHAPTERS = (judge_what_is_there, judge_load)


@flow(name=FLOW, validate_parameters=True)
def revalidate(
    name: str | None = None,
    backend: Literal["embedded", "inventory"] = "embedded",
    backend_options: dict[str, Any] = {},  # noqa: B006 - Prefect shows the default in its form; nothing changes it
    lab: str = "guide",
    overrides: dict[str, Any] = {},  # noqa: B006
    run_id: str | None = None,
) -> State[dict[str, str]]:
    """Judge a lab that stands, change nothing, write a run like any other, and name verdicts that differ from the last.

    A verdict that changed is emitted as the event `bgp-lab.drift` on the resource `bgp-lab.<lab>`. Ends Completed when
    everything holds, else Failed with the first check that does not in its message.

    Args:
        name: The lab's name; embedded: one that stands on the worker's machine.
        backend: What kind of lab it is: one of the worker's machine (embedded), or somebody else's (inventory).
        backend_options: Inventory: e.g. {"ssh_config": "…", "kubeconfig": "…", "sudo": true}.
        lab: Inventory: a shipped description (guide, two-routers, five-nodes, scale), or a file.
        overrides: Inventory: fields of the description to change, e.g. {"ecmp.hash_policy": "0"}.
        run_id: Name of the result directory; made from the time when empty.
    """
    fields = overrides_as_yaml(overrides)
    walk = walk_standing(name, backend, backend_options, lab, fields, tell)
    parameters = {"name": walk.name, "backend": backend, "lab": lab, "overrides": fields}

    def go() -> None:
        take_up(walk, holder=f"flow run {flow_run.name}")
        for chapter in followed(CHAPTERS, FLOW, walk.name):
            chapter(walk)

    again = again_checking(walk.name, backend, backend_options)
    return walked(walk, FLOW, go, run_id=run_id, parameters=parameters, again=again, keep=True, remark=tell_drift)
