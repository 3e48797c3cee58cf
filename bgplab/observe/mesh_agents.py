"""What every cluster's agents say of the mesh: their state, the nodes they know, the backends they have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from bgplab.lab.cluster import Cluster
from bgplab.observe.cilium_agents import ask_agents
from bgplab.observe.foreign import parse_json, parse_object
from bgplab.observe.side_by_side import by_name

STATUS = ("cilium-dbg", "status", "-o", "json")
NODES = ("cilium-dbg", "node", "list", "-o", "json")
SERVICES = ("cilium-dbg", "service", "list", "--clustermesh-affinity", "-o", "json")


@dataclass(frozen=True, slots=True)
class RemoteSeen:
    """A remote cluster as one agent has it. status: what the agent says of its connection to the other etcd."""

    name: str
    ready: bool
    connected: bool = False
    status: str = ""
    cluster_id: int | None = None
    nodes: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class AgentSeen:
    """One agent. state: its own (Ok, Warning, Failure), message beside. remotes: by cluster name."""

    state: str
    message: str
    remotes: Mapping[str, RemoteSeen]
    global_services: int = 0


@dataclass(frozen=True, slots=True)
class MeshAgents:
    """By cluster and node."""

    by_cluster: Mapping[str, Mapping[str, AgentSeen]]


@dataclass(frozen=True, slots=True)
class ListedNode:
    """A row of `cilium node list`. source: `local`, `custom-resource` or `clustermesh`."""

    cluster: str
    name: str
    address: IPv4Address | None
    pod_cidr: IPv4Network | None
    source: str


@dataclass(frozen=True, slots=True)
class MeshNodeLists:
    """By cluster and node whose agent was asked."""

    by_cluster: Mapping[str, Mapping[str, tuple[ListedNode, ...]]]


@dataclass(frozen=True, slots=True)
class Backend:
    """A backend of the sample application's Service as an agent has it (`service list --clustermesh-affinity`)."""

    address: IPv4Address
    state: str
    preferred: bool


@dataclass(frozen=True, slots=True)
class MeshBackends:
    """By cluster and node whose agent was asked."""

    by_cluster: Mapping[str, Mapping[str, tuple[Backend, ...]]]


def read_mesh_agents(clusters: Mapping[str, Cluster]) -> MeshAgents:
    return MeshAgents(by_name(read_agents_of, clusters))


def read_agents_of(cluster: Cluster) -> dict[str, AgentSeen]:
    return {node: parse_agent(text) for node, text in ask_agents(cluster, STATUS).items()}


def parse_agent(text: str) -> AgentSeen:
    said = parse_object(text, " ".join(STATUS))
    own, mesh = said.get("cilium") or {}, said.get("cluster-mesh") or {}
    remotes = {each["name"]: _remote(each) for each in mesh.get("clusters") or []}
    return AgentSeen(own.get("state", "Ok"), own.get("msg", ""), remotes, mesh.get("num-global-services", 0))


def _remote(said: Mapping[str, Any]) -> RemoteSeen:
    """Go leaves out what is false or zero."""
    return RemoteSeen(
        said["name"],
        bool(said.get("ready")),
        bool(said.get("connected")),
        said.get("status", ""),
        (said.get("config") or {}).get("cluster-id"),
        said.get("num-nodes", 0),
        said.get("num-failures", 0),
    )


def read_mesh_node_lists(clusters: Mapping[str, Cluster]) -> MeshNodeLists:
    def of(cluster: Cluster) -> dict[str, tuple[ListedNode, ...]]:
        return {node: parse_node_list(text) for node, text in ask_agents(cluster, NODES).items()}

    return MeshNodeLists(by_name(of, clusters))


def parse_node_list(text: str) -> tuple[ListedNode, ...]:
    return tuple(_listed(each) for each in parse_json(text, " ".join(NODES)) or [])


def _listed(said: Mapping[str, Any]) -> ListedNode:
    cluster, _, name = said["name"].rpartition("/")
    ipv4 = (said.get("primary-address") or {}).get("ipv4") or {}
    address, cidr = ipv4.get("ip"), ipv4.get("alloc-range")
    return ListedNode(
        cluster,
        name,
        IPv4Address(address) if address else None,
        IPv4Network(cidr) if cidr else None,
        said.get("source", ""),
    )


def read_mesh_backends(
    clusters: Mapping[str, Cluster], frontends: Mapping[str, tuple[IPv4Address | None, int]]
) -> MeshBackends:
    """frontends: the Service's cluster IP and port in each cluster; no backends where there is no Service."""

    def of(name: str) -> dict[str, tuple[Backend, ...]]:
        return {
            node: parse_backends(text, *frontends[name]) for node, text in ask_agents(clusters[name], SERVICES).items()
        }

    return MeshBackends(by_name(of, {name: name for name in clusters}))


def parse_backends(text: str, frontend: IPv4Address | None, port: int) -> tuple[Backend, ...]:
    for entry in parse_json(text, " ".join(SERVICES)) or []:
        service = (entry.get("status") or {}).get("realized") or entry["spec"]
        front = service["frontend-address"]
        if (front.get("ip"), front.get("port")) == (str(frontend), port):
            return tuple(
                Backend(IPv4Address(each["ip"]), each.get("state", "active"), bool(each.get("preferred")))
                for each in service.get("backend-addresses") or []
            )
    return ()
