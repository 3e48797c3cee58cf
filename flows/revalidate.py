"""A lab that stands, judged again: checks and load tests, nothing changed, what differs from the last time named."""

from __future__ import annotations

from typing import Any, Literal

from prefect import flow
from prefect.runtime import flow_run
from prefect.states import State

from bgplab.errors import LabError
from bgplab.results.directory import new_run_id
from tasks.records import again_checking
from tasks.reporting import followed, tell_drift, verdict_as_state, write_report
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
    overrides: dict[str, str] = {},  # noqa: B006
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
    walk = walk_standing(name, backend, backend_options, lab, overrides, tell)
    run_id = run_id or new_run_id()
    try:
        try:
            take_up(walk, holder=f"flow run {flow_run.name or run_id}")
            for chapter in followed(CHAPTERS, FLOW, walk.name):
                chapter(walk)
        except LabError as fault:
            walk.give_up(fault)
        parameters = {"name": walk.name, "backend": backend, "lab": lab, "overrides": overrides}
        written = write_report(walk, FLOW, run_id, parameters, again_checking(walk.name, backend, backend_options))
    finally:
        tell(walk.leave(keep=True))
    return verdict_as_state(written, tell_drift(written, tell))
