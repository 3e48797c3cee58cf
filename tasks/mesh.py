"""The steps of the ClusterMesh part as Prefect tasks; what is said before any of them."""

from __future__ import annotations

from bgplab.steps.mesh_install import warnings
from tasks.guide import step_task
from tasks.parts import CLUSTER_MESH
from tasks.walk import Walk


def warn(walk: Walk) -> None:
    """Say it before any work: a release of Cilium in which global Services are known not to work."""
    for warning in warnings(walk.spec):
        walk.event("warning", walk.name, warning)
        walk.say(f"warning: {warning}")


install_cilium = step_task("M02", CLUSTER_MESH)
share_authority = step_task("M03", CLUSTER_MESH)
enable_mesh = step_task("M04", CLUSTER_MESH)
connect_clusters = step_task("M05", CLUSTER_MESH)
untaint = step_task("M07", CLUSTER_MESH)
deploy_global_service = step_task("M08", CLUSTER_MESH)
deploy_clients = step_task("M09", CLUSTER_MESH)
prefer_local = step_task("M11", CLUSTER_MESH)
fail_over = step_task("M12", CLUSTER_MESH)
restore = step_task("M13", CLUSTER_MESH)
prefer_remote = step_task("M14", CLUSTER_MESH)
fill_truth_table = step_task("M15", CLUSTER_MESH)
