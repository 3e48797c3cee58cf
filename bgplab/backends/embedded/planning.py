"""From a description to what the lab's daemon is told. Pure; runs in the launcher, beside the daemon's start."""

from __future__ import annotations

from bgplab.backends.embedded.plan import ClusterPlan, NodePlan
from bgplab.spec.derived import neighbours
from bgplab.spec.frr import base_config
from bgplab.spec.model import ClusterSpec, LabSpec, Node, Router

#: /etc/frr/daemons (FRR documentation, "Daemons Configuration File"): zebra and staticd always run.
DAEMONS = """\
bgpd=yes
vtysh_enable=yes
zebra_options="  -A 127.0.0.1 -s 90000000"
bgpd_options="   -A 127.0.0.1"
staticd_options="-A 127.0.0.1"
frr_profile="traditional"
"""


def router_files(router: Router) -> dict[str, str]:
    """Files that a router's own root gets when it is made: the configuration that the guide's VM comes with."""
    return {"/etc/frr/frr.conf": base_config(router), "/etc/frr/daemons": DAEMONS}


def plan_of(lab: LabSpec, cluster: ClusterSpec) -> ClusterPlan:
    """One cluster of a lab."""
    return ClusterPlan(
        name=cluster.name,
        id=cluster.id,
        cilium_version=cluster.cilium_version,
        cilium_installed=cluster.cilium_installed,
        pod_cidr=cluster.pod_cidr,
        service_cidr=cluster.service_cidr,
        nodes=tuple(_node(lab, cluster, node) for node in cluster.nodes),
    )


def _node(lab: LabSpec, cluster: ClusterSpec, node: Node) -> NodePlan:
    on_link = tuple(other.name for other in neighbours(lab, node) if other in cluster.nodes)
    return NodePlan(node.name, node.address, node.pod_cidr, node.control_plane, on_link)
