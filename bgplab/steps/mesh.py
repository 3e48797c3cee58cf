"""All steps of the mesh in the guide's order, and how each is undone."""

from __future__ import annotations

from collections.abc import Callable

from bgplab.lab.model import Lab
from bgplab.lab.waiting import Deadline
from bgplab.spec.model import LabSpec
from bgplab.steps import mesh_affinity, mesh_app, mesh_connect, mesh_failover, mesh_install, mesh_truth_table
from bgplab.steps.outcome import Outcome, Step

_IN_ORDER = (
    Step("M02", "install Cilium", mesh_install.plan_install, mesh_install.install_cilium),
    Step("M03", "shared certificate authority", mesh_install.plan_share, mesh_install.share_authority),
    Step("M04", "enable ClusterMesh", mesh_connect.plan_enable, mesh_connect.enable_mesh),
    Step("M05", "connect the clusters", mesh_connect.plan_connect, mesh_connect.connect_mesh),
    Step("M07", "untaint control planes", mesh_app.plan_untaint, mesh_app.untaint),
    Step("M08", "global service", mesh_app.plan_app, mesh_app.deploy_global_service),
    Step("M09", "client pods", mesh_app.plan_clients, mesh_app.deploy_clients),
    Step("M11", "affinity local", mesh_affinity.plan_local, mesh_affinity.prefer_local),
    Step("M12", "failover", mesh_failover.plan_failover, mesh_failover.fail_over),
    Step("M13", "restore", mesh_failover.plan_restore, mesh_failover.restore),
    Step("M14", "affinity remote", mesh_affinity.plan_remote, mesh_affinity.prefer_remote),
    Step("M15", "truth table", mesh_truth_table.plan_table, mesh_truth_table.fill_truth_table),
)

MESH_STEPS: dict[str, Step] = {step.id: step for step in _IN_ORDER}

#: What takes a step back; the truth table leaves nothing behind.
UNDO: dict[str, Callable[[Lab, LabSpec, Deadline], Outcome]] = {
    "M02": mesh_install.uninstall_cilium,
    "M03": mesh_install.part_authorities,
    "M04": mesh_connect.disable_mesh,
    "M05": mesh_connect.disconnect_mesh,
    "M07": mesh_app.taint_again,
    "M08": mesh_app.remove_app,
    "M09": mesh_app.remove_clients,
    "M11": mesh_affinity.prefer_nobody,
    "M12": mesh_failover.restore,
    "M14": mesh_affinity.prefer_nobody,
}
