"""The keys in a cluster's etcd (Cilium 1.17/1.18, clustermesh-apiserver)."""

from __future__ import annotations

#: All of it, in one range.
EVERYTHING = "cilium/"

CLUSTER_CONFIG = "cilium/cluster-config"
HEARTBEAT = "cilium/.heartbeat"
SYNCED = "cilium/synced"

NODES = "cilium/state/nodes/v1"
SERVICES = "cilium/state/services/v1"
ENDPOINTS = "cilium/state/ip/v1"
IDENTITIES = "cilium/state/identities/v1"

#: In the order Cilium's status names them.
STATES = {"nodes": NODES, "endpoints": ENDPOINTS, "identities": IDENTITIES, "services": SERVICES}


def cluster_config_key(cluster: str) -> str:
    return f"{CLUSTER_CONFIG}/{cluster}"


def node_key(cluster: str, node: str) -> str:
    return f"{NODES}/{cluster}/{node}"


def service_key(cluster: str, namespace: str, name: str) -> str:
    return f"{SERVICES}/{cluster}/{namespace}/{name}"


def endpoint_key(address: str) -> str:
    """Addresses have no cluster in their key."""
    return f"{ENDPOINTS}/default/{address}"


def identity_key(number: int) -> str:
    return f"{IDENTITIES}/id/{number}"


def canary_key(cluster: str, state: str) -> str:
    """Written when the first full copy of `state`, one of STATES' prefixes, is in."""
    return f"{SYNCED}/{cluster}/{state}"
