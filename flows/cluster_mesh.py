"""The guide's ClusterMesh part, M01 to M15, as one flow: read it as the guide's table of contents."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from prefect import flow
from prefect.runtime import flow_run
from prefect.states import State
from pydantic import Field

from bgplab.backends.registry import backend as backend_named
from bgplab.spec.loading import load_lab
from tasks import guide, mesh
from tasks.flow_parameters import overrides_as_yaml
from tasks.parts import CLUSTER_MESH
from tasks.records import again_running
from tasks.reporting import followed, walked
from tasks.telling import tell
from tasks.walk import Walk

FLOW = "cluster-mesh"
LAST = "M15"

CHAPTERS = (
    mesh.install_cilium,
    mesh.share_authority,
    mesh.enable_mesh,
    mesh.connect_clusters,
    mesh.untaint,
    mesh.deploy_global_service,
    mesh.deploy_clients,
    mesh.prefer_local,
    mesh.fail_over,
    mesh.restore,
    mesh.prefer_remote,
    mesh.fill_truth_table,
)


@flow(name=FLOW, validate_parameters=True)
def cluster_mesh(
    lab: str = "mesh",
    name: str | None = None,
    until: Annotated[str, Field(pattern=r"^M(0[1-9]|1[0-5])$")] = LAST,
    keep: bool = False,
    overrides: dict[str, Any] = {},  # noqa: B006 - Prefect shows the default in its form; nothing changes it
    backend: Literal["embedded", "inventory"] = "embedded",
    backend_options: dict[str, Any] = {},  # noqa: B006
    run_id: str | None = None,
) -> State[dict[str, str]]:
    """Bring clusters up, join them to a mesh, judge who answers in every state, write a report, leave nothing behind.

    Run on a lab that stands it goes on from there and changes nothing that is so already. Ends Completed when
    everything holds, else Failed with the first check that does not in its message.

    Args:
        lab: A shipped description of several clusters (mesh, three-clusters), or a file on the worker's machine.
        name: The lab's name; the description's when empty.
        until: Stop after this step, e.g. M05; M14 leaves out the truth table.
        keep: Leave the lab standing afterwards; a later run goes on from there.
        overrides: Fields of the description to change, e.g. {"clusters[0].app.replicas": "1"}.
        backend: What makes the lab exist: this machine (embedded), or somebody else (inventory).
        backend_options: Inventory: e.g. {"ssh_config": "…", "kubeconfig": "…", "sudo": true}.
        run_id: Name of the result directory; made from the time when empty.
    """
    fields = overrides_as_yaml(overrides)
    parameters = {"lab": lab, "until": until, "keep": keep, "overrides": fields, "backend": backend}
    spec = load_lab(lab, fields)
    CLUSTER_MESH.refuse_unfit(spec)
    taken = backend_named(backend, backend_options)
    walk = Walk(spec, name or spec.name, taken, part=CLUSTER_MESH, until=until, say=tell)
    mesh.warn(walk)

    def go() -> None:
        guide.provision(walk, holder=f"flow run {flow_run.name}")
        for chapter in followed(guide.wanted(walk, CHAPTERS), FLOW, walk.name):
            chapter(walk)

    again = again_running(FLOW, walk.name, parameters, LAST)
    return walked(walk, FLOW, go, run_id=run_id, parameters=parameters, again=again, keep=keep)
