"""The names of a cluster (kubernetes/dns specification 1.1.0), from its Services and EndpointSlices: pure.

| name | answer |
|---|---|
| `SERVICE.NAMESPACE.svc.DOMAIN` | its cluster address; headless: its ready endpoints; ExternalName: a CNAME |
| `HOSTNAME.SERVICE.NAMESPACE.svc.DOMAIN` | that endpoint (hostname, or its address with dashes) |
| `_PORT._PROTOCOL.SERVICE.NAMESPACE.svc.DOMAIN` | SRV |
| `172-20-0-5.NAMESPACE.pod.DOMAIN` | that address, as CoreDNS' `pods insecure` |
| other names of the domain | NXDOMAIN |
| names outside of it | REFUSED: nothing is forwarded, a lab has no world outside; reverse names too |
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address

from bgplab.backends.embedded.agents.dns.message import (
    Answer,
    Code,
    Query,
    Record,
    Type,
    a_record,
    cname_record,
    soa_record,
    srv_record,
    txt_record,
)
from bgplab.lab.cluster import Manifest

#: kubeadm's Corefile: `ttl 30`.
SECONDS = 30

SPECIFICATION_VERSION = "1.1.0"


@dataclass(frozen=True, slots=True)
class Named:
    """What a Service's name stands for."""

    addresses: tuple[IPv4Address, ...] = ()
    alias: str = ""
    hosts: dict[str, tuple[IPv4Address, ...]] = field(default_factory=dict)
    ports: dict[tuple[str, str], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Zone:
    """A cluster's names at one moment. `serial` grows with every change."""

    domain: str
    services: dict[tuple[str, str], Named]
    serial: int = 1

    def answer(self, query: Query) -> Answer:
        if not query.in_class or not (query.name == self.domain or query.name.endswith(f".{self.domain}")):
            return Answer(Code.REFUSED, authoritative=False)
        labels = query.name.removesuffix(self.domain).rstrip(".").split(".") if query.name != self.domain else []
        records = self._records(query.name, labels)
        soa = soa_record(self.domain, self.serial, SECONDS)
        if records is None:
            return Answer(Code.NXDOMAIN, authority=(soa,))
        if not labels and query.type == Type.SOA:
            return Answer(Code.NOERROR, (soa,))
        fitting = tuple(
            record for record in records if record.type in (query.type, Type.CNAME) or query.type == Type.ANY
        )
        # The name is there but not with this type (AAAA): NOERROR and nothing, or clients give the name up.
        return Answer(Code.NOERROR, fitting, () if fitting else (soa,))

    def _records(self, name: str, labels: list[str]) -> tuple[Record, ...] | None:
        """Everything under a name of the domain; None when there is no such name."""
        match labels:
            case [] | ["svc"] | ["pod"]:
                return ()
            case ["dns-version"]:
                return (txt_record(name, SPECIFICATION_VERSION, SECONDS),)
            case [namespace, "svc"]:
                return () if any(key[0] == namespace for key in self.services) else None
            case [service, namespace, "svc"]:
                return self._of_service(name, self.services.get((namespace, service)))
            case [host, service, namespace, "svc"]:
                return self._of_host(name, host, self.services.get((namespace, service)))
            case [port, protocol, service, namespace, "svc"]:
                return self._of_port(name, port, protocol, service, namespace)
            case [dashed, _, "pod"]:
                address = _dashed_address(dashed)
                return (a_record(name, address, SECONDS),) if address else None
        return None

    def _of_service(self, name: str, named: Named | None) -> tuple[Record, ...] | None:
        if named is None:
            return None
        if named.alias:
            return (cname_record(name, named.alias, SECONDS),)
        return tuple(a_record(name, address, SECONDS) for address in named.addresses)

    def _of_host(self, name: str, host: str, named: Named | None) -> tuple[Record, ...] | None:
        if named is None:
            return None
        if host in ("_tcp", "_udp", "_sctp"):
            return () if any(f"_{protocol}" == host for _, protocol in named.ports) else None
        if host not in named.hosts:
            return None
        return tuple(a_record(name, address, SECONDS) for address in named.hosts[host])

    def _of_port(self, name: str, port: str, protocol: str, service: str, namespace: str) -> tuple[Record, ...] | None:
        named = self.services.get((namespace, service))
        number = named.ports.get((port.removeprefix("_"), protocol.removeprefix("_"))) if named else None
        if named is None or number is None or not port.startswith("_"):
            return None
        target = f"{service}.{namespace}.svc.{self.domain}"
        targets = [f"{host}.{target}" for host in named.hosts] or [target]
        weight = max(1, 100 // len(targets))
        return tuple(srv_record(name, number, one, SECONDS, weight) for one in targets)


def zone_of(domain: str, services: Iterable[Manifest], slices: Iterable[Manifest], serial: int = 1) -> Zone:
    """A cluster's names from its objects."""
    by_service: dict[tuple[str, str], list[Manifest]] = defaultdict(list)
    for piece in slices:
        owner = (piece["metadata"].get("labels") or {}).get("kubernetes.io/service-name")
        if owner and piece.get("addressType", "IPv4") == "IPv4":
            by_service[piece["metadata"].get("namespace", ""), owner].append(piece)
    named = {}
    for manifest in services:
        key = (manifest["metadata"].get("namespace", ""), manifest["metadata"]["name"])
        named[key] = _named(manifest.get("spec") or {}, by_service[key])
    return Zone(domain, named, serial)


def _named(spec: Manifest, slices: list[Manifest]) -> Named:
    if spec.get("type") == "ExternalName":
        return Named(alias=str(spec.get("externalName", "")).lower().rstrip("."))
    ports = {
        (port.get("name") or "", port.get("protocol", "TCP").lower()): port["port"] for port in spec.get("ports") or ()
    }
    hosts: dict[str, tuple[IPv4Address, ...]] = {}
    for name, address in _ready_hosts(slices):
        hosts[name] = (*hosts.get(name, ()), address)
    if spec.get("clusterIP") == "None":
        every = sorted({address for addresses in hosts.values() for address in addresses})
        return Named(tuple(every), hosts=hosts, ports={key: _target_port(slices, key[0], ports[key]) for key in ports})
    cluster = _addresses(spec.get("clusterIPs") or [spec.get("clusterIP", "")])
    return Named(tuple(cluster), ports=ports)


def _ready_hosts(slices: list[Manifest]) -> Iterator[tuple[str, IPv4Address]]:
    for piece in slices:
        for endpoint in piece.get("endpoints") or ():
            if (endpoint.get("conditions") or {}).get("ready") is False:
                continue
            for address in _addresses(endpoint.get("addresses")):
                yield endpoint.get("hostname") or str(address).replace(".", "-"), address


def _target_port(slices: list[Manifest], name: str, otherwise: int) -> int:
    """A headless Service has no port of its own: clients reach the endpoints' one."""
    for piece in slices:
        for port in piece.get("ports") or ():
            if (port.get("name") or "") == name and port.get("port"):
                return int(port["port"])
    return otherwise


def _addresses(values: Iterable[str] | None) -> list[IPv4Address]:
    found = []
    for value in values or ():
        try:
            found.append(IPv4Address(value))
        except AddressValueError:
            continue
    return found


def _dashed_address(text: str) -> IPv4Address | None:
    found = _addresses([text.replace("-", ".")])
    return found[0] if found else None
