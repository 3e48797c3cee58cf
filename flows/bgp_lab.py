"""The guide's BGP lab, G01 to G30, as one flow: read it as the guide's table of contents."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from prefect import flow
from prefect.runtime import flow_run
from prefect.states import State
from pydantic import Field

from bgplab.backends.registry import backend as backend_named
from bgplab.spec.loading import load_lab
from tasks import guide
from tasks.flow_parameters import overrides_as_yaml
from tasks.parts import BGP_LAB
from tasks.records import again_running
from tasks.reporting import followed, walked
from tasks.telling import tell
from tasks.walk import Walk

FLOW = "bgp-lab"
LAST = "G30"

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
    lab: str = "guide",
    name: str | None = None,
    until: Annotated[str, Field(pattern=r"^G(0[1-9]|[12]\d|30)$")] = LAST,
    keep: bool = False,
    overrides: dict[str, Any] = {},  # noqa: B006 - Prefect shows the default in its form; nothing changes it
    backend: Literal["embedded", "inventory"] = "embedded",
    backend_options: dict[str, Any] = {},  # noqa: B006
    run_id: str | None = None,
) -> State[dict[str, str]]:
    """Bring the lab up, walk the guide step by step, judge every observation, write a report, leave nothing behind.

    Run on a lab that stands it goes on from there and changes nothing that is so already. Ends Completed when
    everything holds, else Failed with the first check that does not in its message.

    Args:
        lab: A shipped description (guide, two-routers, five-nodes, scale), or a file on the worker's machine.
        name: The lab's name; the description's when empty.
        until: Stop after this step, e.g. G14.
        keep: Leave the lab standing afterwards; a later run goes on from there.
        overrides: Fields of the description to change, e.g. {"load_test.requests": 20000}.
        backend: What makes the lab exist: this machine (embedded), or somebody else (inventory).
        backend_options: Inventory: e.g. {"ssh_config": "…", "kubeconfig": "…", "sudo": true}.
        run_id: Name of the result directory; made from the time when empty.
    """
    fields = overrides_as_yaml(overrides)
    parameters = {"lab": lab, "until": until, "keep": keep, "overrides": fields, "backend": backend}
    spec = load_lab(lab, fields)
    BGP_LAB.refuse_unfit(spec)
    walk = Walk(spec, name or spec.name, backend_named(backend, backend_options), until=until, say=tell)

    def go() -> None:
        guide.provision(walk, holder=f"flow run {flow_run.name}")
        for chapter in followed(guide.wanted(walk, CHAPTERS), FLOW, walk.name):
            chapter(walk)

    again = again_running(FLOW, walk.name, parameters, LAST)
    return walked(walk, FLOW, go, run_id=run_id, parameters=parameters, again=again, keep=keep)
