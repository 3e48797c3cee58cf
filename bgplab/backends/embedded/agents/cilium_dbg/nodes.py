"""`cilium-dbg node list`: the nodes an agent knows of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bgplab.backends.embedded.agents.cilium_dbg.tabwriter import laid_out
from bgplab.backends.embedded.agents.mesh.remote_store import RemoteNode

HEADING = "Name\tIPv4 Address\tEndpoint CIDR\tIPv6 Address\tEndpoint CIDR\tSource\n"


@dataclass(frozen=True, slots=True)
class KnownNode:
    """source: `local`, `custom-resource` or `clustermesh`."""

    cluster: str
    name: str
    address: str
    pod_cidr: str
    source: str

    @property
    def full_name(self) -> str:
        return f"{self.cluster}/{self.name}"


def known_nodes(cilium_nodes: Iterable[Mapping[str, Any]], own_name: str, cluster: str) -> list[KnownNode]:
    """The nodes of the agent's own cluster, from their CiliumNode objects."""
    return [_known(manifest, own_name, cluster) for manifest in cilium_nodes]


def _known(manifest: Mapping[str, Any], own_name: str, cluster: str) -> KnownNode:
    name, spec = manifest["metadata"]["name"], manifest.get("spec") or {}
    internal = [
        each["ip"] for each in spec.get("addresses") or () if each["type"] == "InternalIP" and "." in each["ip"]
    ]
    cidrs = [cidr for cidr in (spec.get("ipam") or {}).get("podCIDRs") or () if "." in cidr]
    source = "local" if name == own_name else "custom-resource"
    return KnownNode(cluster, name, next(iter(internal), ""), next(iter(cidrs), ""), source)


def remote_nodes(nodes: Iterable[RemoteNode]) -> list[KnownNode]:
    """Nodes of other clusters, from their etcds."""
    return [
        KnownNode(node.cluster, node.name, str(node.address), str(node.pod_cidr or ""), "clustermesh") for node in nodes
    ]


def nodes_table(nodes: Iterable[KnownNode]) -> str:
    """Sorted by name; nothing at all without nodes."""
    rows = [
        f"{node.full_name}\t{node.address}\t{node.pod_cidr}\t\t\t{node.source}\n"
        for node in sorted(nodes, key=lambda node: node.full_name)
    ]
    return laid_out(HEADING + "".join(rows)) if rows else ""


def nodes_json(nodes: Iterable[KnownNode]) -> list[dict[str, Any]]:
    return [
        {
            "name": node.full_name,
            "primary-address": {
                "ipv4": {"alloc-range": node.pod_cidr, "enabled": True, "ip": node.address},
                "ipv6": {},
            },
            "secondary-addresses": [],
            "source": node.source,
        }
        for node in sorted(nodes, key=lambda node: node.full_name)
    ]
