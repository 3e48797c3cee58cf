"""What a node's speakers should run, from what the API server holds. Pure: objects in, `Desired` out."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

from bgplab.backends.embedded.agents.bgp.adverts import (
    Audience,
    Goods,
    Offer,
    offers,
    policies_from,
    services_with_local_endpoint,
)
from bgplab.backends.embedded.agents.bgp.model import (
    IPV4_UNICAST,
    IPV6_UNICAST,
    Address,
    Desired,
    Family,
    Instance,
    Peer,
    Server,
    Timers,
)

ROUTER_ANNOTATION = "cilium.io/bgp-virtual-router."

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """The objects one node's BGP depends on. secrets: those of the BGP secrets namespace, by name.

    node_config None: nothing should run. node (the CiliumNode) None: not known yet, so nothing can be told.
    """

    node_name: str
    node_config: Object | None = None
    node: Object | None = None
    peer_configs: Mapping[str, Object] = field(default_factory=dict)
    advertisements: Sequence[Object] = ()
    services: Sequence[Object] = ()
    endpoint_slices: Sequence[Object] = ()
    secrets: Mapping[str, Object] = field(default_factory=dict)


class StartError(Exception):
    """An instance that Cilium would not start; the text says why."""


class ReconcileError(Exception):
    """A part of an instance that cannot be told; the text is the one of the condition."""


def desired_state(seen: Seen) -> Desired | None:
    """What should run on a node; None when its CiliumNode is not there yet, and nothing should be touched."""
    if seen.node_config is None:
        return Desired()
    if seen.node is None:
        return None
    local = services_with_local_endpoint(seen.endpoint_slices, seen.node_name)
    instances: list[Instance] = []
    errors: list[tuple[str, str]] = []
    unable: list[tuple[str, str]] = []
    for wanted in seen.node_config["spec"].get("bgpInstances") or ():
        try:
            server = _server(wanted, seen.node)
            _refuse_taken_port(server, instances)
        except StartError as fault:
            unable.append((wanted["name"], str(fault)))
            continue
        instance, faults = _instance(wanted, server, seen, local)
        instances.append(instance)
        errors += [(wanted["name"], fault) for fault in faults]
    return Desired(tuple(instances), tuple(errors), tuple(unable))


def _refuse_taken_port(server: Server, instances: Sequence[Instance]) -> None:
    for other in instances:
        if server.listen_port == other.server.listen_port != -1:
            raise StartError(f"port {server.listen_port} is in use by instance {other.name}")


def _server(wanted: Object, node: Object) -> Server:
    asn = wanted.get("localASN")
    if asn is None:
        raise StartError("missing ASN in desired config")
    annotation = _router_annotation(node, asn)
    router_id = wanted.get("routerID") or annotation.get("router-id") or _internal_ipv4(node)
    if router_id is None:
        raise StartError("no router ID: the node has no internal IPv4 address, and nothing else names one")
    port = wanted.get("localPort") or int(annotation.get("local-port") or -1)
    return Server(asn, router_id, port)


def _router_annotation(node: Object, asn: int) -> dict[str, str]:
    """`router-id=…,local-port=…` of the annotation for an ASN."""
    text = (node["metadata"].get("annotations") or {}).get(f"{ROUTER_ANNOTATION}{asn}", "")
    return {key.strip(): value.strip() for key, _, value in (part.partition("=") for part in text.split(","))}


def _internal_ipv4(node: Object) -> str | None:
    addresses = node["spec"].get("addresses") or ()
    return next((each["ip"] for each in addresses if each["type"] == "InternalIP" and "." in each["ip"]), None)


def _instance(
    wanted: Object, server: Server, seen: Seen, local: frozenset[tuple[str, str]]
) -> tuple[Instance, list[str]]:
    """An instance and what could not be told of it. One broken part does not take the others away."""
    faults: list[str] = []
    offered: tuple[Offer, ...] = ()
    try:
        goods = Goods(_pod_cidrs(seen.node), tuple(seen.services), local)
        offered = offers(_audiences(wanted, seen), seen.advertisements, goods)
    except (ReconcileError, ValueError) as fault:
        faults.append(str(fault))
    peers: tuple[Peer, ...] | None = None
    try:
        peers = tuple(_peers(wanted, server, seen))
    except ReconcileError as fault:
        faults.append(str(fault))
    paths = frozenset(prefix for offer in offered for prefix in offer.prefixes)
    return Instance(wanted["name"], server, paths, policies_from(offered), peers), faults


def _pod_cidrs(node: Object | None) -> tuple[Any, ...]:
    cidrs = (((node or {}).get("spec") or {}).get("ipam") or {}).get("podCIDRs") or ()
    try:
        return tuple(ip_network(cidr, strict=False) for cidr in cidrs)
    except ValueError as fault:
        raise ReconcileError(f"failed to parse prefix: {fault}") from fault


def _audiences(wanted: Object, seen: Seen) -> Iterator[Audience]:
    """Peers with a configuration that exists; without a reference nothing is ever advertised."""
    for peer in wanted.get("peers") or ():
        name = (peer.get("peerConfigRef") or {}).get("name")
        config = seen.peer_configs.get(name) if name else None
        if config is not None:
            yield Audience(peer["name"], _address(peer.get("peerAddress")), config.get("spec") or {})


def _address(text: str | None) -> Address | None:
    return ip_address(text) if text else None


def _peers(wanted: Object, server: Server, seen: Seen) -> Iterator[Peer]:
    for peer in wanted.get("peers") or ():
        address = _address(peer.get("peerAddress"))
        if address is None:
            if peer.get("autoDiscovery"):
                raise ReconcileError(f"peer {peer['name']}: autoDiscovery is not supported by the embedded lab")
            continue
        if peer.get("peerASN") is None:
            raise ReconcileError(f"peer {peer['name']} does not have a PeerASN")
        reference = (peer.get("peerConfigRef") or {}).get("name")
        config = seen.peer_configs.get(reference) if reference else {}
        if config is not None:
            yield _peer(peer, address, config.get("spec") or {}, server, seen)


def _peer(peer: Object, address: Address, config: Object, server: Server, seen: Seen) -> Peer:
    timers = config.get("timers") or {}
    multihop = config.get("ebgpMultihop") or 1
    families = tuple(Family(each["afi"], each["safi"]) for each in config.get("families") or ())
    return Peer(
        name=peer["name"],
        address=address,
        asn=peer["peerASN"],
        port=(config.get("transport") or {}).get("peerPort") or 179,
        local_address=_address(peer.get("localAddress")),
        multihop_ttl=1 if peer["peerASN"] == server.asn else multihop,
        timers=Timers(
            timers.get("connectRetryTimeSeconds", 120),
            timers.get("holdTimeSeconds", 90),
            timers.get("keepAliveTimeSeconds", 30),
        ),
        restart_seconds=_restart_seconds(config),
        families=families or (IPV4_UNICAST, IPV6_UNICAST),
        password=_password(config, seen),
    )


def _restart_seconds(config: Object) -> int | None:
    restart = config.get("gracefulRestart") or {}
    return restart.get("restartTimeSeconds", 120) if restart.get("enabled") else None


def _password(config: Object, seen: Seen) -> str:
    """A missing Secret means no password, one without the key is an error: so Cilium (cilium-observed 3.4)."""
    name = config.get("authSecretRef")
    secret = seen.secrets.get(name) if name else None
    if secret is None:
        return ""
    password = base64.b64decode((secret.get("data") or {}).get("password") or "").decode(errors="replace")
    if not password:
        raise ReconcileError(f'failed to fetch secret "{name}": missing password key')
    return password
