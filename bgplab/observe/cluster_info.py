"""`kubectl cluster-info`: the API server answers, and which cluster services it names."""

from __future__ import annotations

from dataclasses import dataclass

from bgplab.lab.cluster import CONFIG_MAP, SERVICE, Cluster


@dataclass(frozen=True, slots=True)
class ClusterInfo:
    """services: names in kube-system labelled kubernetes.io/cluster-service=true, as cluster-info lists them."""

    services: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CiliumConfig:
    """`cilium config view`: the data of the ConfigMap cilium-config; empty when there is none."""

    values: dict[str, str]


def read_cluster_info(cluster: Cluster) -> ClusterInfo:
    found = cluster.list(SERVICE, "kube-system", labels="kubernetes.io/cluster-service=true")
    return ClusterInfo(tuple(sorted(item["metadata"]["name"] for item in found)))


def read_cilium_config(cluster: Cluster) -> CiliumConfig:
    item = cluster.get(CONFIG_MAP, "cilium-config", "kube-system")
    return CiliumConfig(dict((item or {}).get("data") or {}))
