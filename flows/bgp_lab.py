"""The guide's BGP lab, G01 to G30, as one flow: read it as the guide's table of contents."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any, Literal

from prefect import flow
from prefect.runtime import flow_run
from prefect.states import Completed, Failed, State
from pydantic import Field

from bgplab.backends.registry import backend as backend_named
from bgplab.checks.finding import Verdict
from bgplab.errors import LabError
from bgplab.results.directory import new_run_id
from bgplab.results.record import Run
from bgplab.spec.loading import load_lab
from tasks import guide
from tasks.reporting import write_report
from tasks.telling import tell
from tasks.walk import LAST, Walk

FLOW = "bgp-lab"

CHAPTERS = (
    guide.deploy_sample_app,
    guide.configure_router,
    guide.add_peers,
    guide.restart_frr,
    guide.label_nodes,
    guide.apply_bgp_resources,
    guide.add_pod_routes,
    guide.create_pool,
    guide.make_load_balancer,
    guide.advertise_service,
    guide.set_traffic_policy,
    guide.move_pods,
    guide.set_hash_policy,
)


@flow(name=FLOW, validate_parameters=True)
def bgp_lab(
    lab: Annotated[
        str, Field(description="A shipped description (guide, two-routers, five-nodes, scale) or a file")
    ] = "guide",
    name: Annotated[str | None, Field(description="The lab's name; the description's when empty")] = None,
    until: Annotated[str, Field(description="Stop after this step", pattern=r"^G(0[1-9]|[12]\d|30)$")] = LAST,
    keep: Annotated[bool, Field(description="Leave the lab standing afterwards")] = False,
    overrides: Annotated[
        dict[str, str], Field(description='Fields of the description to change, e.g. {"load_test.requests": "500"}')
    ] = {},  # noqa: B006 - Prefect shows the default in its form; nothing changes it
    backend: Annotated[Literal["embedded", "inventory"], Field(description="What makes the lab exist")] = "embedded",
    backend_options: Annotated[
        dict[str, Any],
        Field(description='e.g. {"ssh_config": "…", "kubeconfig": "…", "sudo": true} for an inventory'),
    ] = {},  # noqa: B006
    run_id: Annotated[
        str | None, Field(description="Name of the result directory; made from the time when empty")
    ] = None,
) -> State[dict[str, str]]:
    """Bring the lab up, walk the guide step by step, judge every observation, write a report, leave nothing behind.

    Run on a lab that stands it goes on from there and changes nothing that is so already. Ends Completed when
    everything holds, else Failed with the first check that does not in its message.
    """
    parameters = {"lab": lab, "until": until, "keep": keep, "overrides": overrides, "backend": backend}
    spec = load_lab(lab, overrides)
    walk = Walk(spec, name or spec.name, backend_named(backend, backend_options), until=until, say=tell)
    run_id = run_id or new_run_id()
    try:
        try:
            guide.provision(walk, holder=f"flow run {flow_run.name or run_id}")
            for chapter in CHAPTERS:
                chapter(walk)
        except LabError as fault:
            walk.give_up(fault)
        run, directory = write_report(walk, FLOW, run_id, parameters, again(parameters, walk.name))
    finally:
        tell(walk.leave(keep=keep))
    return verdict_as_state(run, directory)


def again(parameters: dict[str, Any], name: str) -> str:
    """The command that does the same run once more."""
    words = ["bgp-lab", "run", "--lab", parameters["lab"], "--name", name]
    words += [word for key, value in parameters["overrides"].items() for word in ("--set", f"{key}={value}")]
    if parameters["until"] != LAST:
        words += ["--until", parameters["until"]]
    return shlex.join(words + (["--keep"] if parameters["keep"] else []))


def verdict_as_state(run: Run, directory: Path) -> State[dict[str, str]]:
    """Completed when everything that was judged holds; else Failed, and the message names the check."""
    facts = {"verdict": run.verdict.value, "results": str(directory), "sentence": run.sentence}
    state = Completed if run.verdict is Verdict.HOLDS else Failed
    return state(message=run.sentence, data=facts)
