"""`kubectl get ciliumbgpnodeconfigs`: one per selected node. Its status lags by seconds and its counters go stale."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

from bgplab.lab.cluster import BGP_CLUSTER_CONFIG, BGP_NODE_CONFIG, Cluster, Manifest


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """A peer as the node config's status has it; state None while the peer does not run."""

    name: str
    address: IPv4Address
    state: str | None


@dataclass(frozen=True, slots=True)
class NodeConfigSeen:
    name: str
    owner: str | None
    peers: tuple[PeerStatus, ...]


@dataclass(frozen=True, slots=True)
class NodeConfigs:
    configs: tuple[NodeConfigSeen, ...]


@dataclass(frozen=True, slots=True)
class ClusterConfigs:
    """`kubectl get ciliumbgpclusterconfigs`: names, and the conditions that are True with their messages."""

    troubles: dict[str, tuple[str, ...]]


def read_node_configs(cluster: Cluster) -> NodeConfigs:
    return NodeConfigs(tuple(parse_node_config(item) for item in cluster.list(BGP_NODE_CONFIG)))


def read_cluster_configs(cluster: Cluster) -> ClusterConfigs:
    return ClusterConfigs(
        {item["metadata"]["name"]: _true_conditions(item) for item in cluster.list(BGP_CLUSTER_CONFIG)}
    )


def parse_node_config(item: Manifest) -> NodeConfigSeen:
    owners = item["metadata"].get("ownerReferences") or []
    instances = (item.get("status") or {}).get("bgpInstances") or []
    return NodeConfigSeen(
        item["metadata"]["name"],
        owners[0]["name"] if owners else None,
        tuple(
            PeerStatus(peer["name"], IPv4Address(peer["peerAddress"]), peer.get("peeringState"))
            for instance in instances
            for peer in instance.get("peers") or []
        ),
    )


def _true_conditions(item: Manifest) -> tuple[str, ...]:
    """Read `status`, never `reason`: the reason also stands there when the condition is False (facts/cilium.md 1.1)."""
    conditions = (item.get("status") or {}).get("conditions") or []
    return tuple(f"{c['type']}: {c.get('message', '')}" for c in conditions if c["status"] == "True")
