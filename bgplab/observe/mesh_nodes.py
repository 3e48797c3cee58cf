"""`kubectl get nodes` in every cluster of a mesh: also why a node is not Ready, and its taints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from bgplab.lab.cluster import NODE, Cluster, Manifest
from bgplab.observe.nodes import parse_node
from bgplab.observe.side_by_side import by_name

CONTROL_PLANE = "node-role.kubernetes.io/control-plane"


@dataclass(frozen=True, slots=True)
class MeshNode:
    """A Node object. unready: the message of its condition Ready unless it is True. taints: as `key:effect`."""

    name: str
    address: IPv4Address | None
    pod_cidr: IPv4Network | None
    unready: str | None = None
    taints: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        return self.unready is None


@dataclass(frozen=True, slots=True)
class MeshNodes:
    """Each cluster's nodes by its name."""

    by_cluster: Mapping[str, tuple[MeshNode, ...]]


def read_mesh_nodes(clusters: Mapping[str, Cluster]) -> MeshNodes:
    return MeshNodes(by_name(read_nodes_of, clusters))


def read_nodes_of(cluster: Cluster) -> tuple[MeshNode, ...]:
    return tuple(sorted((parse_mesh_node(item) for item in cluster.list(NODE)), key=lambda node: node.name))


def parse_mesh_node(item: Manifest) -> MeshNode:
    node = parse_node(item)
    conditions = {each["type"]: each for each in item.get("status", {}).get("conditions") or []}
    ready = conditions.get("Ready", {"status": "Unknown", "message": "it has no condition Ready"})
    return MeshNode(
        node.name,
        node.address,
        node.pod_cidr,
        None if node.ready else str(ready.get("message") or ready.get("reason") or ready["status"]),
        tuple(f"{taint['key']}:{taint['effect']}" for taint in item.get("spec", {}).get("taints") or []),
    )
