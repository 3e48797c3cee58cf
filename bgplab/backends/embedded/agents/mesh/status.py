"""The state of an agent's connections to remote clusters, as `cilium-dbg status` tells it: pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bgplab.backends.embedded.agents.mesh import keys
from bgplab.backends.embedded.agents.mesh.remote_store import RemoteConfig

WAITING = "Waiting for initial connection to be established"


@dataclass(frozen=True, slots=True)
class RemoteStatus:
    """One remote cluster (Cilium's model RemoteCluster). counts, synced: by keys.STATES' names.

    failures: how often an etcd connection was given up and made anew; last_failure: when, None for never.
    """

    name: str
    connected: bool = False
    text: str = WAITING
    config: RemoteConfig | None = None
    synced: Mapping[str, bool] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    failures: int = 0
    last_failure: datetime | None = None

    @property
    def ready(self) -> bool:
        return self.connected and self.config is not None and all(self.synced.get(name) for name in keys.STATES)


@dataclass(frozen=True, slots=True)
class MeshStatus:
    """All remote clusters of an agent, and how many global Services it has."""

    clusters: tuple[RemoteStatus, ...] = ()
    global_services: int = 0

    @property
    def ready(self) -> int:
        return sum(cluster.ready for cluster in self.clusters)


def status_json(status: MeshStatus) -> dict[str, Any]:
    """Go's models leave out what is zero, false or empty, but not objects."""
    return {"clusters": [_cluster_json(one) for one in status.clusters]} | _if(
        {"num-global-services": status.global_services}
    )


def _cluster_json(cluster: RemoteStatus) -> dict[str, Any]:
    config: dict[str, Any] = {"required": True}
    if cluster.config is not None:
        config |= {"retrieved": True, "cluster-id": cluster.config.cluster_id}
        config |= _if({"sync-canaries": cluster.config.synced_canaries})
    count = cluster.counts.get
    return {
        **_if({"connected": cluster.connected}),
        "config": config,
        "last-failure": _moment(cluster.last_failure),
        "name": cluster.name,
        **_if({"num-endpoints": count("endpoints", 0), "num-failures": cluster.failures}),
        **_if({"num-identities": count("identities", 0), "num-nodes": count("nodes", 0)}),
        **_if({"num-shared-services": count("services", 0), "ready": cluster.ready}),
        "status": cluster.text,
        "synced": _if({name: cluster.synced.get(name, False) for name in keys.STATES}),
    }


def status_lines(status: MeshStatus, now: datetime, all_clusters: bool) -> Sequence[str]:
    """Lines for the table, cells separated by tabs; of clusters that are ready only when all are asked for."""
    if not status.clusters:
        return []
    summary = f"{status.ready}/{len(status.clusters)} remote clusters ready, {status.global_services} global-services"
    lines = [f"ClusterMesh:\t{summary}"]
    for cluster in status.clusters:
        if all_clusters or not cluster.ready:
            lines += _cluster_lines(cluster, now)
    return lines


def _cluster_lines(cluster: RemoteStatus, now: datetime) -> list[str]:
    count = {name: cluster.counts.get(name, 0) for name in keys.STATES}
    lines = [
        f"   {cluster.name}: {'ready' if cluster.ready else 'not-ready'}, {count['nodes']} nodes,"
        f" {count['endpoints']} endpoints, {count['identities']} identities, {count['services']} services,"
        f" 0 MCS-API service exports, {cluster.failures} reconnections (last: {_ago(cluster.last_failure, now)})",
        f"   └  {cluster.text}",
    ]
    retrieved = f"   └  remote configuration: expected=true, retrieved={_bool(cluster.config is not None)}"
    if cluster.config is not None:
        retrieved += (
            f", cluster-id={cluster.config.cluster_id}, kvstoremesh=false,"
            f" sync-canaries={_bool(cluster.config.synced_canaries)}, service-exports=disabled"
        )
    synced = ", ".join(f"{name}={_bool(cluster.synced.get(name, False))}" for name in keys.STATES)
    return [*lines, retrieved, f"   └  synchronization status: {synced}"]


def _bool(value: bool) -> str:
    return str(value).lower()


def _ago(moment: datetime | None, now: datetime) -> str:
    """Go's duration in whole seconds: `1m33s ago`."""
    if moment is None:
        return "never"
    seconds = max(0, round((now - moment).total_seconds()))
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "") + f"{seconds % 60}s ago"


def _moment(moment: datetime | None) -> str:
    """Go's zero time stands for never."""
    return "0001-01-01T00:00:00.000Z" if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _if(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value}
