"""Both sides of the global Service as the traffic model takes them, from Services and endpoints that were read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from bgplab.observe.mesh_agents import Backend
from bgplab.observe.mesh_services import MeshEndpoints, MeshServices
from bgplab.traffic.mesh_model import Answering, Side, who_may_answer


@dataclass(frozen=True, slots=True)
class Home:
    """Where a ready backend lives. node: None where its EndpointSlice does not say."""

    cluster: str
    node: str | None


@dataclass(frozen=True, slots=True)
class Sides:
    """by_cluster: each cluster's Service with its ready pods. pods: their names by address. homes: by pod name."""

    by_cluster: Mapping[str, Side]
    pods: Mapping[IPv4Address, str]
    homes: Mapping[str, Home]

    def answering(self, client: str) -> Answering:
        """Who may answer a client of this cluster, by pod names."""
        return who_may_answer(self.by_cluster[client], self.others(client))

    def others(self, client: str) -> tuple[Side, ...]:
        return tuple(side for name, side in self.by_cluster.items() if name != client)


def sides_of(
    services: MeshServices, endpoints: MeshEndpoints, apps: Mapping[str, tuple[str, str]], versions: Mapping[str, str]
) -> Sides:
    """apps: the application's name and namespace, by cluster. versions: of Cilium. A missing Service is not global."""
    sides, pods, homes = {}, {}, {}
    for cluster, (name, namespace) in apps.items():
        ready = endpoints.by_cluster[cluster].ready
        for entry in ready:
            pod = entry.pod or str(entry.address)
            pods[entry.address], homes[pod] = pod, Home(cluster, entry.node)
        service, names = services.named(cluster, namespace, name), frozenset(pods[entry.address] for entry in ready)
        if service is None:
            sides[cluster] = Side(cluster, names, is_global=False, version=versions[cluster])
        else:
            shared, affinity = service.shared, service.affinity
            sides[cluster] = Side(
                cluster, names, service.is_global, shared, affinity, service.named_port, versions[cluster]
            )
    return Sides(sides, pods, homes)


def in_use(backends: tuple[Backend, ...], pods: Mapping[IPv4Address, str]) -> frozenset[str]:
    """Which backends get new connections by an agent's own list: active preferred ones if there are any, else all
    active ones. By pod name where it is known, else by address."""
    active = [backend for backend in backends if backend.state == "active"]
    chosen = [backend for backend in active if backend.preferred] or active
    return frozenset(pods.get(backend.address, str(backend.address)) for backend in chosen)
