"""`kubectl get nodes`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from bgplab.lab.cluster import NODE, Cluster, Manifest


@dataclass(frozen=True, slots=True)
class NodeSeen:
    """A Node object: its InternalIP, whether its condition Ready is True, pod CIDR and labels."""

    name: str
    address: IPv4Address | None
    ready: bool
    pod_cidr: IPv4Network | None
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Nodes:
    nodes: tuple[NodeSeen, ...]

    def labelled(self, label: str, value: str = "true") -> set[str]:
        """Names of the nodes that `kubectl get node -l label=value` prints."""
        return {node.name for node in self.nodes if node.labels.get(label) == value}


def read_nodes(cluster: Cluster) -> Nodes:
    return Nodes(tuple(parse_node(item) for item in cluster.list(NODE)))


def parse_node(item: Manifest) -> NodeSeen:
    status, spec = item.get("status", {}), item.get("spec", {})
    address = next((a["address"] for a in status.get("addresses", []) if a["type"] == "InternalIP"), None)
    cidr = spec.get("podCIDR")
    return NodeSeen(
        item["metadata"]["name"],
        IPv4Address(address) if address else None,
        any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", [])),
        IPv4Network(cidr) if cidr else None,
        dict(item["metadata"].get("labels") or {}),
    )
