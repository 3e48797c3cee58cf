"""Services: cluster addresses and node ports are given out and taken back here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Address

from bgplab.backends.embedded.kube.allocation import PoolExhaustedError
from bgplab.backends.embedded.kube.errors import ApiError, Cause, invalid
from bgplab.backends.embedded.kube.kinds.behaviour import Behaviour
from bgplab.backends.embedded.kube.machine import Machine
from bgplab.backends.embedded.kube.store.item import Value

WITH_NODE_PORTS = ("NodePort", "LoadBalancer")
CLIENT_IP_TIMEOUT_SECONDS = 10800


def _complete(service: Value) -> None:
    spec = service.setdefault("spec", {})
    for port in spec.get("ports", ()):
        port.setdefault("targetPort", port.get("port"))
    if spec.get("type") == "ExternalName":
        return
    spec.setdefault("internalTrafficPolicy", "Cluster")
    if spec.get("type") in WITH_NODE_PORTS:
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if spec.get("type") == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    if spec.get("sessionAffinity") == "ClientIP":
        client = spec.setdefault("sessionAffinityConfig", {}).setdefault("clientIP", {})
        client.setdefault("timeoutSeconds", CLIENT_IP_TIMEOUT_SECONDS)
    spec["ipFamilies"] = spec.get("ipFamilies") or ["IPv4"]
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    service.setdefault("status", {}).setdefault("loadBalancer", {})


def _validate(new: Value, old: Value | None) -> Iterator[Cause]:
    spec = new["spec"]
    yield from _port_causes(spec)
    if "externalTrafficPolicy" in spec and spec.get("type") not in WITH_NODE_PORTS and not spec.get("externalIPs"):
        why = "may only be set for externally-accessible services"
        yield Cause("spec.externalTrafficPolicy", f"Invalid value: {json.dumps(spec['externalTrafficPolicy'])}: {why}")
    for index, family in enumerate(spec.get("ipFamilies") or ()):
        if family != "IPv4":
            why = "not configured on this cluster"
            yield Cause(f"spec.ipFamilies[{index}]", f"Invalid value: {json.dumps(family)}: {why}")
        elif index:
            yield Cause(f"spec.ipFamilies[{index}]", 'Duplicate value: "IPv4"', "FieldValueDuplicate")
    if spec.get("ipFamilyPolicy") == "RequireDualStack":
        why = "this cluster is not configured for dual-stack services"
        yield Cause("spec.ipFamilyPolicy", f'Invalid value: "RequireDualStack": {why}')
    if old is not None and _keeps_address(old) and _keeps_address(new):
        before, now = old["spec"].get("clusterIP"), spec.get("clusterIP")
        if now and before and now != before:
            yield Cause("spec.clusterIPs[0]", f"Invalid value: {json.dumps([now])}: may not change once set")


def _port_causes(spec: Value) -> Iterator[Cause]:
    ports = spec.get("ports", [])
    if not ports and spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None":
        yield Cause("spec.ports", "Required value", "FieldValueRequired")
    names = [port.get("name", "") for port in ports]
    for index, name in enumerate(names):
        if not name and len(ports) > 1:
            yield Cause(f"spec.ports[{index}].name", "Required value", "FieldValueRequired")
        elif name and name in names[:index]:
            yield Cause(f"spec.ports[{index}].name", f"Duplicate value: {json.dumps(name)}", "FieldValueDuplicate")
    if spec.get("type") not in WITH_NODE_PORTS:
        for index, port in enumerate(ports):
            if port.get("nodePort"):
                message = "Forbidden: may not be used when `type` is 'ClusterIP'"
                yield Cause(f"spec.ports[{index}].nodePort", message, "FieldValueForbidden")


def _keeps_address(service: Value) -> bool:
    return service["spec"].get("type", "ClusterIP") != "ExternalName"


def complete_update(new: Value, old: Value) -> None:
    """Fill from the present service what a client may leave out, and drop what the new type has no use for."""
    spec, before = new.setdefault("spec", {}), old["spec"]
    if _keeps_address(new) and _keeps_address(old):
        spec.setdefault("clusterIP", before.get("clusterIP"))
        spec.setdefault("clusterIPs", before.get("clusterIPs"))
    if spec.get("type", "ClusterIP") in WITH_NODE_PORTS:
        _keep_node_ports(spec, before)
    elif before.get("type") in WITH_NODE_PORTS:
        _drop_unchanged(spec, before)


def _keep_node_ports(spec: Value, before: Value) -> None:
    """By the port's name, as the real server finds them: everything else of it may have been changed."""
    held = {port.get("name", ""): port.get("nodePort") for port in before.get("ports", ())}
    named = {port.get("nodePort") for port in spec.get("ports", ())}
    for port in spec.get("ports", ()):
        node_port = held.get(port.get("name", ""))
        if node_port and node_port not in named and "nodePort" not in port:
            port["nodePort"] = node_port
            named.add(node_port)


def _drop_unchanged(spec: Value, before: Value) -> None:
    """Back to ClusterIP: fields of the old type go unless the client changed them in the same write."""
    held = {port.get("nodePort") for port in before.get("ports", ())}
    for port in spec.get("ports", ()):
        if port.get("nodePort") in held:
            port.pop("nodePort", None)
    for name in ("externalTrafficPolicy", "allocateLoadBalancerNodePorts", "healthCheckNodePort"):
        if spec.get(name) == before.get(name):
            spec.pop(name, None)


def _prepare(machine: Machine, new: Value, old: Value | None) -> None:
    _give_address(machine, new)
    held = _node_ports(old) if old is not None else set()
    taken: list[int] = []
    try:
        _give_node_ports(machine, new, held, taken)
    except (PoolExhaustedError, ApiError):
        for port in taken:
            machine.ports.release(port)
        if old is None or old["spec"].get("clusterIP") != new["spec"].get("clusterIP"):
            _release_address(machine, new)
        raise
    if old is not None:
        for port in held - _node_ports(new):
            machine.ports.release(port)
        if not _keeps_address(new):
            _release_address(machine, old)


def _give_address(machine: Machine, service: Value) -> None:
    spec = service["spec"]
    if not _keeps_address(service):
        spec.pop("clusterIP", None)
        spec.pop("clusterIPs", None)
        return
    wanted = spec.get("clusterIP") or next(iter(spec.get("clusterIPs") or ()), None)
    if wanted == "None":
        spec["clusterIP"], spec["clusterIPs"] = "None", ["None"]
        return
    spec["clusterIP"] = wanted if wanted and _holds(machine, service, wanted) else str(machine.addresses.take())
    spec["clusterIPs"] = [spec["clusterIP"]]


def _holds(machine: Machine, service: Value, wanted: str) -> bool:
    """True when the address is (now) this service's. Raises 422 when it cannot be."""
    present = machine.store.by_uid(service["metadata"]["uid"])
    if present is not None:
        item = machine.store.get(present)
        if item is not None and item.value["spec"].get("clusterIP") == wanted:
            return True
    try:
        address = IPv4Address(wanted)
    except AddressValueError:
        raise _refused(service, wanted, "must be empty, 'None', or a valid IP address") from None
    if not machine.addresses.contains(address):
        why = f"failed to allocate IP {wanted}: the provided IP ({wanted}) is not in the valid range."
        raise _refused(service, wanted, f"{why} The range of valid IPs is {machine.addresses.network}")
    if not machine.addresses.hold(address):
        raise _refused(service, wanted, f"failed to allocate IP {wanted}: provided IP is already allocated")
    return True


def _refused(service: Value, address: str, why: str) -> ApiError:
    cause = Cause("spec.clusterIPs[0]", f'Invalid value: ["{address}"]: {why}')
    return invalid("Service", "", service["metadata"]["name"], [cause])


def _node_ports(service: Value) -> set[int]:
    return {port["nodePort"] for port in service["spec"].get("ports", ()) if port.get("nodePort")}


def _give_node_ports(machine: Machine, service: Value, held: set[int], taken: list[int]) -> None:
    spec = service["spec"]
    if spec.get("type") not in WITH_NODE_PORTS:
        return
    wants_all = spec["type"] == "NodePort" or spec.get("allocateLoadBalancerNodePorts", True)
    for index, port in enumerate(spec.get("ports", ())):
        wanted = port.get("nodePort")
        if wanted and wanted not in held and wanted not in taken:
            _hold_port(machine, service, index, wanted)
            taken.append(wanted)
        elif not wanted and wants_all:
            port["nodePort"] = machine.ports.take()
            taken.append(port["nodePort"])


def _hold_port(machine: Machine, service: Value, index: int, port: int) -> None:
    why = ""
    if not machine.ports.contains(port):
        low, high = machine.ports.bounds
        why = f"provided port is not in the valid range. The range of valid ports is {low}-{high}"
    elif not machine.ports.hold(port):
        why = "provided port is already allocated"
    if why:
        cause = Cause(f"spec.ports[{index}].nodePort", f"Invalid value: {port}: {why}")
        raise invalid("Service", "", service["metadata"]["name"], [cause])


def _release_address(machine: Machine, service: Value) -> None:
    address = service["spec"].get("clusterIP")
    if address and address != "None":
        machine.addresses.release(IPv4Address(address))


def _removed(machine: Machine, service: Value) -> None:
    _release_address(machine, service)
    for port in _node_ports(service):
        machine.ports.release(port)


SERVICES = Behaviour(complete=_complete, validate=_validate, prepare=_prepare, removed=_removed)
