"""Seven events under steady traffic, each made, undone and judged: what BGP's timers cost, in connections."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, Literal

from prefect import flow
from prefect.runtime import flow_run
from prefect.states import State
from pydantic import Field

from bgplab.backends.registry import backend as backend_named
from bgplab.spec.loading import load_lab
from tasks import guide
from tasks.failover import Conditions, chosen, refuse_unknown_node, walk_to_the_last_step
from tasks.flow_parameters import (
    EVERY_EVENT,
    Event,
    PatienceSeconds,
    Rate,
    RequestSeconds,
    WatchedSeconds,
    overrides_as_yaml,
)
from tasks.parts import FAILOVER
from tasks.records import again_running
from tasks.reporting import followed, walked
from tasks.telling import tell
from tasks.walk import Walk

FLOW = "failover"
LAST = "E16"


@flow(name=FLOW, validate_parameters=True)
def failover(
    lab: str = "guide",
    name: str | None = None,
    until: Annotated[str, Field(pattern=r"^E(0[1-9]|1[0-6])$")] = LAST,
    events: list[Event] = list(EVERY_EVENT),  # noqa: B006 - Prefect shows the default in its form; nothing changes it
    node: str | None = None,
    rate: Rate = 100.0,
    before_seconds: WatchedSeconds = 1.0,
    after_seconds: WatchedSeconds = 1.5,
    request_seconds: RequestSeconds = 0.5,
    dial_patience_seconds: PatienceSeconds = 3.0,
    keep: bool = False,
    overrides: dict[str, Any] = {},  # noqa: B006
    backend: Literal["embedded", "inventory"] = "embedded",
    backend_options: dict[str, Any] = {},  # noqa: B006
    run_id: str | None = None,
) -> State[dict[str, str]]:
    """Walk a lab to the BGP lab's last step, make each event while connections are opened steadily, and judge it.

    For each event and for its way back, at every router: connections lost, first and last failure, how long, and what
    FRR and the router's kernel did on the same time axis. Every event is undone before the next one. Ends Completed
    when everything holds, else Failed with the first check that does not in its message.

    Args:
        lab: A shipped description (guide, two-routers, five-nodes, scale), or a file on the worker's machine.
        name: The lab's name; the description's when empty.
        until: Stop after this step, e.g. E09.
        events: Which events; they are made in the order of the default.
        node: The node it happens to; the first worker with BGP when empty.
        rate: Connections per second from each router; their distance is the resolution of all figures.
        before_seconds: Undisturbed traffic before each event.
        after_seconds: Watched on after each change has settled; longer than request_seconds.
        request_seconds: A connection that takes longer to come about, or to be answered, has failed.
        dial_patience_seconds: After the link is up, how long to wait for the node's own dial before its agent is
            restarted. Empty: for its own retry, up to three times its connect-retry time (360 s with the guide's).
        keep: Leave the lab standing afterwards; a later run goes on from there.
        overrides: Fields of the description to change, e.g. {"clusters[0].bgp.timers.hold_seconds": "30"}.
        backend: What makes the lab exist: this machine (embedded), or somebody else (inventory).
        backend_options: Inventory: e.g. {"ssh_config": "…", "kubeconfig": "…", "sudo": true}.
        run_id: Name of the result directory; made from the time when empty.
    """
    fields = overrides_as_yaml(overrides)
    conditions = Conditions(rate, before_seconds, after_seconds, request_seconds, dial_patience_seconds, node)
    parameters = {"lab": lab, "until": until, "events": list(events), **asdict(conditions)}
    parameters |= {"keep": keep, "overrides": fields, "backend": backend}
    spec = load_lab(lab, fields)
    FAILOVER.refuse_unfit(spec)
    refuse_unknown_node(spec, conditions)
    walk = Walk(spec, name or spec.name, backend_named(backend, backend_options), part=FAILOVER, until=until, say=tell)

    def go() -> None:
        guide.provision(walk, holder=f"flow run {flow_run.name}")
        walk_to_the_last_step(walk)
        for event in followed(guide.wanted(walk, chosen(events)), FLOW, walk.name):
            event(walk, conditions)

    again = again_running(FLOW, walk.name, parameters, LAST, *what_is_not_usual(parameters))
    return walked(walk, FLOW, go, run_id=run_id, parameters=parameters, again=again, keep=keep)


def what_is_not_usual(parameters: Mapping[str, Any]) -> list[str]:
    """Words of the command line for events and conditions that are not the flow's defaults."""
    words = []
    if list(parameters["events"]) != list(EVERY_EVENT):
        words += [word for event in parameters["events"] for word in ("--event", event)]
    for key, value in asdict(Conditions()).items():
        if parameters[key] != value:
            words += ["--parameter", f"{key}={json.dumps(parameters[key])}"]
    return words
