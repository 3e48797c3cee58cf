"""`cilium-dbg service list`: what the node's data path serves, a row per frontend, and who may answer."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from bgplab.backends.embedded.agents.cilium_dbg.tabwriter import laid_out
from bgplab.backends.embedded.agents.datapath.services import Backend, Service, ServicePort
from bgplab.backends.embedded.agents.mesh.selection import Marked

HEADING = "ID\tFrontend\tService Type\tBackend\t\n"

#: Cilium's own frontend of a node port, beside those of the node's addresses.
ANY_ADDRESS = IPv4Address("0.0.0.0")


@dataclass(frozen=True, slots=True)
class Row:
    """One frontend. kind: ClusterIP, NodePort, ExternalIPs or LoadBalancer."""

    number: int
    kind: str
    address: IPv4Address
    port_number: int
    service: Service
    port: ServicePort


class ServiceIds:
    """Numbers of frontends, from 1 in the order in which they are first seen; a frontend keeps its own.

    addresses: of the node, on which node ports are served.
    """

    def __init__(self, addresses: Sequence[IPv4Address]) -> None:
        self._addresses = (ANY_ADDRESS, *addresses)
        self._numbers: dict[tuple[IPv4Address, str, int], int] = {}
        self._lock = threading.Lock()

    def rows(self, services: Iterable[Service]) -> list[Row]:
        """All frontends, by number."""
        with self._lock:
            rows = [self._row(*each) for service in services for each in self._frontends(service)]
        return sorted(rows, key=lambda row: row.number)

    def _row(self, kind: str, address: IPv4Address, number: int, service: Service, port: ServicePort) -> Row:
        key = (address, port.protocol, number)
        return Row(self._numbers.setdefault(key, len(self._numbers) + 1), kind, address, number, service, port)

    def _frontends(self, service: Service) -> Iterator[tuple[str, IPv4Address, int, Service, ServicePort]]:
        for port in service.ports:
            for kind, addresses in (
                ("ClusterIP", service.cluster_addresses),
                ("LoadBalancer", service.balancer_addresses),
                ("ExternalIPs", service.external_addresses),
            ):
                yield from ((kind, address, port.port, service, port) for address in addresses)
            if port.node_port:
                yield from (("NodePort", address, port.node_port, service, port) for address in self._addresses)


def services_table(rows: Iterable[Row], affinity: bool) -> str:
    """The heading, a row per frontend, further backends under the first. affinity: mark the preferred ones."""
    return laid_out(HEADING + "".join(_text(row, affinity) for row in rows))


def _text(row: Row, affinity: bool) -> str:
    frontend = f"{row.address}:{row.port_number}/{row.port.protocol.upper()}"
    start = f"{row.number}\t{frontend}\t{row.kind}\t"
    backends = [
        f"{number} => {_backend(one, row.port.protocol, affinity)}"
        for number, one in enumerate(row.port.listed, start=1)
    ] or [""]
    return "".join((start if number == 0 else "\t\t\t") + f"{text}\t\n" for number, text in enumerate(backends))


def _backend(marked: Marked[Backend], protocol: str, affinity: bool) -> str:
    preferred = " (preferred)" if affinity and marked.preferred else ""
    return f"{marked.backend.address}:{marked.backend.port}/{protocol.upper()} ({marked.state}){preferred}"


def services_json(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Go's models: what is wanted, and the same as what stands."""
    specs = [_spec(row) for row in rows]
    return [{"spec": spec, "status": {"realized": spec}} for spec in specs]


def _spec(row: Row) -> dict[str, Any]:
    service = row.service
    external = "Local" if service.external_local else "Cluster"
    return {
        "backend-addresses": [_backend_json(one, row.port.protocol) for one in row.port.listed],
        "flags": {
            "extTrafficPolicy": external,
            "intTrafficPolicy": "Local" if service.internal_local else "Cluster",
            "name": service.name,
            "namespace": service.namespace,
            "natPolicy": "None",
            "trafficPolicy": external,
            "type": row.kind,
        },
        "frontend-address": {
            "ip": str(row.address),
            "port": row.port_number,
            "protocol": row.port.protocol.upper(),
            "scope": "external",
        },
        "id": row.number,
    }


def _backend_json(marked: Marked[Backend], protocol: str) -> dict[str, Any]:
    backend = marked.backend
    return {
        "ip": str(backend.address),
        **({"nodeName": backend.node} if backend.node else {}),
        "port": backend.port,
        **({"preferred": True} if marked.preferred else {}),
        "protocol": protocol.upper(),
        "state": marked.state,
        "weight": 100,
    }
