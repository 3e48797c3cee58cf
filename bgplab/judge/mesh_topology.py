"""The mesh as it stands, for the report's picture; and the versions it is made of."""

from __future__ import annotations

from collections.abc import Mapping

from bgplab.lab.model import Lab
from bgplab.observe.endpoint_slices import Endpoints
from bgplab.observe.mesh_agents import AgentSeen, read_mesh_agents
from bgplab.observe.mesh_install import read_mesh_installed
from bgplab.observe.mesh_services import read_mesh_endpoints
from bgplab.results.record import MeshLink, Topology, TopologyHost
from bgplab.spec.model import LabSpec


def topology_of(lab: Lab, spec: LabSpec) -> Topology:
    """Hosts from the description; pods and connections from what is there."""
    apps = {cluster.name: (cluster.app.name, cluster.app.namespace) for cluster in spec.clusters}
    endpoints = read_mesh_endpoints(lab.clusters, apps).by_cluster
    agents = read_mesh_agents(lab.clusters).by_cluster
    return Topology(
        hosts=_nodes(spec, endpoints),
        subnets={subnet.name: str(subnet.cidr) for subnet in spec.subnets},
        links=tuple(
            _link(cluster.name, other.name, agents[cluster.name])
            for cluster in spec.clusters
            for other in spec.clusters
            if other != cluster
        ),
    )


def _nodes(spec: LabSpec, endpoints: Mapping[str, Endpoints]) -> tuple[TopologyHost, ...]:
    return tuple(
        TopologyHost(
            node.name,
            "node",
            None,
            (str(node.address),),
            (spec.subnet_of(node.address).name,),
            (str(node.pod_cidr),),
            tuple(
                entry.pod or str(entry.address) for entry in endpoints[cluster.name].ready if entry.node == node.name
            ),
            cluster=cluster.name,
        )
        for cluster in spec.clusters
        for node in cluster.nodes
    )


def _link(cluster: str, other: str, agents: Mapping[str, AgentSeen]) -> MeshLink:
    remotes = [agent.remotes[other] for agent in agents.values() if other in agent.remotes]
    told = sorted({remote.status for remote in remotes if not remote.ready})
    return MeshLink(cluster, other, sum(remote.ready for remote in remotes), len(agents), "; ".join(told))


def versions_of(lab: Lab, spec: LabSpec) -> dict[str, str]:
    """Cilium by its agents' images, and the nodes' kernel by what they say themselves."""
    found = read_mesh_installed(lab.clusters).by_cluster.values()
    kernels = {
        lab.hosts[node.name].run(["uname", "-r"]).stdout.strip() for each in spec.clusters for node in each.nodes
    }
    cilium = {one.version for one in found if one.version}
    return {"cilium agents": ", ".join(sorted(cilium)) or "none", "kernel": ", ".join(sorted(kernels))}
