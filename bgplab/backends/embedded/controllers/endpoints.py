"""Which pods are behind a Service: pure; the contents of EndpointSlices and of the older Endpoints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any

from bgplab.backends.embedded.controllers.pods import is_finished, is_ready, is_terminating
from bgplab.backends.embedded.controllers.selectors import matches
from bgplab.lab.cluster import Manifest

MAX_ENDPOINTS = 100
Ports = tuple[tuple[str, str, int], ...]


def has_endpoints(service: Manifest) -> bool:
    """Whether a Service's endpoints are made for it; without a selector they are somebody else's work."""
    return bool(service["spec"].get("selector")) and service["spec"].get("type") != "ExternalName"


def selects(service: Manifest, pod: Manifest) -> bool:
    """Whether a pod is one of a Service's; a Service without selector has none of its own."""
    selector = service["spec"].get("selector")
    same_namespace = service["metadata"]["namespace"] == pod["metadata"]["namespace"]
    return bool(selector) and same_namespace and matches({"matchLabels": selector}, pod["metadata"].get("labels") or {})


def behind(service: Manifest, pods: Iterable[Manifest]) -> list[Manifest]:
    """A Service's pods that have an address, by name."""
    found = [
        pod for pod in pods if (pod.get("status") or {}).get("podIP") and not is_finished(pod) and selects(service, pod)
    ]
    return sorted(found, key=lambda pod: pod["metadata"]["name"])


def slices_of(service: Manifest, pods: Iterable[Manifest]) -> list[dict[str, Any]]:
    """The `addressType`, `endpoints` and `ports` of a Service's slices; one without endpoints when it has no pod.

    Pods whose named target ports have other numbers are in slices of their own; at most 100 endpoints are in one.
    """
    groups: dict[tuple[str, Ports], list[Manifest]] = {}
    for pod in behind(service, pods):
        groups.setdefault((_address_type(pod), ports_on(service, pod)), []).append(pod)
    if not groups:
        return [{"addressType": _family_of(service), "endpoints": [], "ports": []}]
    return [
        {
            "addressType": address_type,
            "endpoints": [endpoint_of(service, pod) for pod in group[start : start + MAX_ENDPOINTS]],
            "ports": [{"name": name, "protocol": protocol, "port": port} for name, protocol, port in ports],
        }
        for (address_type, ports), group in sorted(groups.items())
        for start in range(0, len(group), MAX_ENDPOINTS)
    ]


def endpoint_of(service: Manifest, pod: Manifest) -> dict[str, Any]:
    """One endpoint. A terminating pod is never ready, but serves as long as its readiness says so."""
    terminating, serving = is_terminating(pod), is_ready(pod)
    published = bool(service["spec"].get("publishNotReadyAddresses"))
    return {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {
            "ready": published or (serving and not terminating),
            "serving": serving,
            "terminating": terminating,
        },
        "targetRef": _target_reference(pod),
        "nodeName": pod["spec"].get("nodeName", ""),
    }


def subsets_of(service: Manifest, pods: Iterable[Manifest]) -> list[dict[str, Any]]:
    """The `subsets` of a Service's Endpoints; terminating pods are not in it."""
    published = bool(service["spec"].get("publishNotReadyAddresses"))
    groups: dict[Ports, tuple[list[Manifest], list[Manifest]]] = {}
    for pod in behind(service, pods):
        if is_terminating(pod) and not published:
            continue
        ready, not_ready = groups.setdefault(ports_on(service, pod), ([], []))
        (ready if published or is_ready(pod) else not_ready).append(pod)
    return [_subset(ports, ready, not_ready) for ports, (ready, not_ready) in sorted(groups.items())]


def ports_on(service: Manifest, pod: Manifest) -> Ports:
    """(name, protocol, number) of a Service's ports as this pod has them; a named port it does not have is left out."""
    resolved = (
        (port.get("name", ""), port.get("protocol", "TCP"), _target_port(port, pod))
        for port in service["spec"].get("ports") or []
    )
    return tuple((name, protocol, number) for name, protocol, number in resolved if number is not None)


def _target_port(port: Mapping[str, Any], pod: Manifest) -> int | None:
    target = port.get("targetPort") or port["port"]
    if isinstance(target, int):
        return target
    for container in pod["spec"]["containers"]:
        for offered in container.get("ports") or []:
            same_protocol = offered.get("protocol", "TCP") == port.get("protocol", "TCP")
            if offered.get("name") == target and same_protocol:
                return int(offered["containerPort"])
    return None


def _subset(ports: Ports, ready: Sequence[Manifest], not_ready: Sequence[Manifest]) -> dict[str, Any]:
    subset: dict[str, Any] = {}
    for name, pods in (("addresses", ready), ("notReadyAddresses", not_ready)):
        if pods:
            subset[name] = [
                {
                    "ip": pod["status"]["podIP"],
                    "nodeName": pod["spec"].get("nodeName", ""),
                    "targetRef": _target_reference(pod),
                }
                for pod in pods
            ]
    if ports:
        subset["ports"] = [
            {**({"name": name} if name else {}), "port": port, "protocol": protocol} for name, protocol, port in ports
        ]
    return subset


def _target_reference(pod: Manifest) -> dict[str, str]:
    metadata = pod["metadata"]
    return {"kind": "Pod", "name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"]}


def _address_type(pod: Manifest) -> str:
    return f"IPv{ip_address(pod['status']['podIP']).version}"


def _family_of(service: Manifest) -> str:
    return str((service["spec"].get("ipFamilies") or ["IPv4"])[0])
