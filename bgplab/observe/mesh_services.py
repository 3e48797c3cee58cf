"""The sample application in every cluster of a mesh: its Service with the mesh's annotations, endpoints, and pods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from bgplab.lab.cluster import SERVICE, Cluster, Manifest
from bgplab.observe.endpoint_slices import Endpoints, read_endpoints
from bgplab.observe.pods import Pods, read_pods
from bgplab.observe.side_by_side import by_name

#: Annotation → the older name of the same, which still counts (Cilium, pkg/annotation).
GLOBAL = ("service.cilium.io/global", "io.cilium/global-service")
SHARED = ("service.cilium.io/shared", "io.cilium/shared-service")
AFFINITY = ("service.cilium.io/affinity", "io.cilium/service-affinity")


@dataclass(frozen=True, slots=True)
class MeshService:
    """A Service. is_global: true in any case of letters, anything else is not. shared: absent is true.

    affinity: lower case, `absent` without. named_port: its port has a name.
    """

    namespace: str
    name: str
    cluster_ip: IPv4Address | None
    is_global: bool
    shared: bool
    affinity: str
    named_port: bool = False

    @property
    def full_name(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class MeshServices:
    """By cluster: the Services of all namespaces."""

    by_cluster: Mapping[str, tuple[MeshService, ...]]

    def named(self, cluster: str, namespace: str, name: str) -> MeshService | None:
        found = (each for each in self.by_cluster[cluster] if (each.namespace, each.name) == (namespace, name))
        return next(found, None)


@dataclass(frozen=True, slots=True)
class MeshEndpoints:
    """By cluster: the application's endpoints there, by its own EndpointSlices."""

    by_cluster: Mapping[str, Endpoints]


@dataclass(frozen=True, slots=True)
class MeshPods:
    """By cluster: pods of the application's namespace."""

    by_cluster: Mapping[str, Pods]


def read_mesh_services(clusters: Mapping[str, Cluster]) -> MeshServices:
    return MeshServices(by_name(read_services_of, clusters))


def read_services_of(cluster: Cluster) -> tuple[MeshService, ...]:
    return tuple(parse_mesh_service(item) for item in cluster.list(SERVICE))


def parse_mesh_service(item: Manifest) -> MeshService:
    metadata, spec = item["metadata"], item.get("spec") or {}
    annotations, address = metadata.get("annotations") or {}, spec.get("clusterIP")
    return MeshService(
        metadata.get("namespace", "default"),
        metadata["name"],
        IPv4Address(address) if address and address != "None" else None,
        _annotation(annotations, GLOBAL).lower() == "true",
        _annotation(annotations, SHARED).lower() in ("", "true"),
        _annotation(annotations, AFFINITY).lower() or "absent",
        any(port.get("name") for port in spec.get("ports") or []),
    )


def _annotation(annotations: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((annotations[name] for name in names if name in annotations), "")


def read_mesh_endpoints(clusters: Mapping[str, Cluster], apps: Mapping[str, tuple[str, str]]) -> MeshEndpoints:
    """apps: name and namespace of the application in each cluster."""
    return MeshEndpoints(
        by_name(lambda name: read_endpoints(clusters[name], *apps[name]), {name: name for name in apps})
    )


def read_mesh_pods(clusters: Mapping[str, Cluster], namespaces: Mapping[str, str]) -> MeshPods:
    return MeshPods(by_name(lambda name: read_pods(clusters[name], namespaces[name]), {n: n for n in namespaces}))
