"""Rows of services, endpoints and endpoint slices."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from bgplab.backends.embedded.kube.store.item import Value
from bgplab.backends.embedded.kube.table.columns import AGE, NAME, NONE, Shown, at, field, joined

SHOWN_ENDPOINTS = 3


def external_address(service: Value, now: datetime) -> str:
    spec = service["spec"]
    ingress = at(service, "status", "loadBalancer", "ingress", default=[])
    given = [each.get("ip") or each.get("hostname", "") for each in ingress]
    own = spec.get("externalIPs", [])
    if spec.get("type") == "ExternalName":
        return spec.get("externalName", "")
    if spec.get("type") == "LoadBalancer":
        return ",".join([*given, *own]) or "<pending>"
    return joined(own)


def ports(service: Value, now: datetime) -> str:
    return joined([_port(port) for port in service["spec"].get("ports", [])])


def _port(port: Value) -> str:
    node = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port['port']}{node}/{port.get('protocol', 'TCP')}"


def selector(service: Value, now: datetime) -> str:
    return joined([f"{key}={value}" for key, value in sorted(service["spec"].get("selector", {}).items())])


def endpoints(value: Value, now: datetime) -> str:
    found = list(_endpoints(value))
    return joined(found, SHOWN_ENDPOINTS)


def _endpoints(value: Value) -> Iterator[str]:
    for subset in value.get("subsets", []):
        for port in subset.get("ports", []) or [{}]:
            for address in subset.get("addresses", []):
                yield f"{address['ip']}:{port['port']}" if port else address["ip"]


def slice_ports(value: Value, now: datetime) -> str:
    shown = [str(port.get("port") or port.get("name") or "*") for port in value.get("ports") or []]
    return joined(shown, SHOWN_ENDPOINTS) if shown else "<unset>"


def slice_endpoints(value: Value, now: datetime) -> str:
    found = [address for each in value.get("endpoints") or [] for address in each.get("addresses", [])]
    return joined(found, SHOWN_ENDPOINTS) if found else "<unset>"


SERVICE_COLUMNS = (
    NAME,
    field("Type", "spec", "type"),
    field("Cluster-IP", "spec", "clusterIP"),
    Shown("External-IP", external_address),
    Shown("Port(s)", ports),
    AGE,
    Shown("Selector", selector, wide=True),
)
ENDPOINTS_COLUMNS = (NAME, Shown("Endpoints", endpoints), AGE)
SLICE_COLUMNS = (
    NAME,
    field("AddressType", "addressType", default=NONE),
    Shown("Ports", slice_ports),
    Shown("Endpoints", slice_endpoints),
    AGE,
)
