"""Services and their endpoints as the data path needs them: parsed once from Kubernetes objects into frozen data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError
from typing import Any

from bgplab.backends.embedded.agents.mesh.annotations import sharing_of
from bgplab.backends.embedded.agents.mesh.remote_store import RemoteService
from bgplab.backends.embedded.agents.mesh.selection import Marked, select
from bgplab.backends.embedded.agents.mesh.versions import (
    UNNAMED_FRONTENDS_TAKE_ANY_PORT,
    Behaviour,
)
from bgplab.lab.cluster import Manifest

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
DEFAULT_AFFINITY_SECONDS = 10800  # Kubernetes' own default for sessionAffinity ClientIP


@dataclass(frozen=True, slots=True, order=True)
class Backend:
    """Where a connection may go.

    node: the endpoint's node, "" when unknown (then it is nobody's local one). cluster: of a remote backend, "" for one
    of this cluster; what other clusters export names no node.
    """

    address: IPv4Address
    port: int
    node: str = ""
    cluster: str = ""


@dataclass(frozen=True, slots=True)
class ServicePort:
    """One port of a Service. backends: who gets new connections (`mesh/selection.py`); listed: who is known."""

    protocol: str  # tcp | udp | sctp
    port: int
    node_port: int | None
    backends: tuple[Backend, ...]
    listed: tuple[Marked[Backend], ...] = field(default=(), compare=False)

    def backends_on(self, node: str) -> tuple[Backend, ...]:
        """Those a policy Local leaves: this node's, and remote ones, which pass because they name no node (Cilium)."""
        return tuple(backend for backend in self.backends if backend.cluster or backend.node == node)


@dataclass(frozen=True, slots=True)
class Service:
    """A Service that has virtual addresses; headless ones and ExternalName have none and are not here.

    affinity_seconds: of `sessionAffinity: ClientIP`, None without it. source_ranges: who may use the load balancer's
    addresses, empty is everybody.
    """

    namespace: str
    name: str
    cluster_addresses: tuple[IPv4Address, ...]
    balancer_addresses: tuple[IPv4Address, ...]
    external_addresses: tuple[IPv4Address, ...]
    external_local: bool
    internal_local: bool
    affinity_seconds: int | None
    source_ranges: tuple[IPv4Network, ...]
    ports: tuple[ServicePort, ...]
    is_global: bool = False

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class OtherClusters:
    """What other clusters share, and how this cluster's Cilium release uses it."""

    services: tuple[RemoteService, ...] = ()
    behaviour: Behaviour = field(default_factory=Behaviour)

    def backends_of(self, namespace: str, name: str, port: Manifest) -> tuple[Backend, ...]:
        """Remote backends of a Service port, which has the same name in every cluster; its number may differ."""
        wanted, protocol = port.get("name") or "", port.get("protocol", "TCP").lower()
        any_name = not wanted and self.behaviour.has(UNNAMED_FRONTENDS_TAKE_ANY_PORT)
        return tuple(
            Backend(backend.address, backend.port, cluster=service.cluster)
            for service in self.services
            if (service.namespace, service.name) == (namespace, name)
            for backend in service.backends
            if backend.protocol == protocol and (any_name or backend.port_name == wanted)
        )

    def addresses(self) -> frozenset[IPv4Address]:
        return frozenset(backend.address for service in self.services for backend in service.backends)


NOBODY_ELSE = OtherClusters()


@dataclass(frozen=True, slots=True)
class _Endpoint:
    backend: Backend
    ready: bool
    serving: bool


def services_of(
    services: Iterable[Manifest], slices: Iterable[Manifest], others: OtherClusters = NOBODY_ELSE
) -> tuple[Service, ...]:
    """All Services with a virtual IPv4 address, by namespace and name."""
    by_service: dict[tuple[str, str], list[Manifest]] = defaultdict(list)
    for piece in slices:
        metadata = piece["metadata"]
        owner = (metadata.get("labels") or {}).get(SERVICE_NAME_LABEL)
        if owner and piece.get("addressType", "IPv4") == "IPv4":
            by_service[metadata.get("namespace", ""), owner].append(piece)
    found = []
    for manifest in services:
        metadata = manifest["metadata"]
        service = _service(manifest, by_service[metadata.get("namespace", ""), metadata["name"]], others)
        if service.cluster_addresses:
            found.append(service)
    return tuple(sorted(found, key=lambda service: (service.namespace, service.name)))


def endpoint_addresses(slices: Iterable[Manifest]) -> frozenset[IPv4Address]:
    """Every address that is an endpoint of something, ready or not."""
    return frozenset(
        address
        for piece in slices
        for endpoint in piece.get("endpoints") or ()
        for address in _addresses(endpoint.get("addresses"))
    )


def _service(manifest: Manifest, slices: list[Manifest], others: OtherClusters) -> Service:
    metadata, spec = manifest["metadata"], manifest.get("spec") or {}
    kind = spec.get("type", "ClusterIP")
    affinity = ((spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}).get("timeoutSeconds")
    balancer = (manifest.get("status") or {}).get("loadBalancer") or {}
    ingress = [entry for entry in balancer.get("ingress") or () if entry.get("ipMode", "VIP") == "VIP"]
    exposed = kind in ("NodePort", "LoadBalancer")
    cluster_addresses = spec.get("clusterIPs") or [spec.get("clusterIP", "")]
    return Service(
        namespace=metadata.get("namespace", ""),
        name=metadata["name"],
        cluster_addresses=_addresses(cluster_addresses) if kind != "ExternalName" else (),
        balancer_addresses=_addresses(entry.get("ip") for entry in ingress) if kind == "LoadBalancer" else (),
        external_addresses=_addresses(spec.get("externalIPs")),
        external_local=spec.get("externalTrafficPolicy") == "Local",
        internal_local=spec.get("internalTrafficPolicy") == "Local",
        affinity_seconds=(affinity or DEFAULT_AFFINITY_SECONDS) if spec.get("sessionAffinity") == "ClientIP" else None,
        source_ranges=_networks(spec.get("loadBalancerSourceRanges")),
        ports=tuple(_port(manifest, port, slices, exposed, others) for port in spec.get("ports") or ()),
        is_global=sharing_of(manifest).takes_remote,
    )


def _port(
    manifest: Manifest, port: Manifest, slices: list[Manifest], exposed: bool, others: OtherClusters
) -> ServicePort:
    metadata = manifest["metadata"]
    endpoints = [endpoint for piece in slices for endpoint in _endpoints(piece, port.get("name") or "")]
    # As Cilium and kube-proxy do: pods that end but still serve are better than nobody.
    ready = {endpoint.backend for endpoint in endpoints if endpoint.ready}
    ending = {endpoint.backend for endpoint in endpoints if endpoint.serving} - ready
    remote = others.backends_of(metadata.get("namespace", ""), metadata["name"], port)
    chosen = select(sharing_of(manifest), sorted(ready), sorted(ending), sorted(remote), others.behaviour)
    return ServicePort(
        protocol=port.get("protocol", "TCP").lower(),
        port=port["port"],
        node_port=port.get("nodePort") if exposed else None,
        backends=tuple(sorted(chosen.used)),
        listed=chosen.listed,
    )


def _endpoints(piece: Manifest, port_name: str) -> Iterable[_Endpoint]:
    number = next(
        (
            port["port"]
            for port in piece.get("ports") or ()
            if (port.get("name") or "") == port_name and port.get("port")
        ),
        None,
    )
    if number is None:
        return
    for endpoint in piece.get("endpoints") or ():
        conditions = endpoint.get("conditions") or {}
        ready = conditions.get("ready") is not False  # absent means ready (discovery/v1)
        serving = conditions.get("serving", ready) is not False
        for address in _addresses(endpoint.get("addresses")):
            yield _Endpoint(
                Backend(address, number, endpoint.get("nodeName") or ""),
                ready,
                serving and bool(conditions.get("terminating")),
            )


def _addresses(values: Any) -> tuple[IPv4Address, ...]:
    """The IPv4 addresses among `values`; others ("None", "", IPv6) are left out."""
    found = []
    for value in values or ():
        try:
            found.append(IPv4Address(value))
        except AddressValueError:
            continue
    return tuple(found)


def _networks(values: Any) -> tuple[IPv4Network, ...]:
    found = []
    for value in values or ():
        try:
            found.append(IPv4Network(value.strip(), strict=False))
        except (AddressValueError, NetmaskValueError):
            continue
    return tuple(found)
