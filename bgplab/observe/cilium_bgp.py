"""`cilium-dbg bgp peers|routes|route-policies -o json` in every cilium pod (facts/clustermesh-and-cli.md 7.2)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from bgplab.lab.cluster import Cluster
from bgplab.observe.cilium_agents import ask_agents
from bgplab.observe.foreign import parse_json

NEXT_HOP = 3  # RFC 4271, 5.1.3: type code of the NEXT_HOP attribute
EXTENDED_LENGTH = 0x10  # RFC 4271, 4.3: attribute flag, the length has two octets


@dataclass(frozen=True, slots=True)
class AgentPeer:
    """One session as the agent sees it. hold and keepalive: applied (negotiated) seconds, 0 before it is up."""

    local_asn: int
    peer_asn: int
    address: IPv4Address
    state: str
    hold_seconds: int
    keepalive_seconds: int
    received: int
    accepted: int
    advertised: int


@dataclass(frozen=True, slots=True)
class AgentPeers:
    """`cilium-dbg bgp peers -o json` by node."""

    by_node: Mapping[str, tuple[AgentPeer, ...]]


@dataclass(frozen=True, slots=True)
class AgentRoute:
    """A prefix in a node's own table; next_hop 0.0.0.0 for its own."""

    asn: int
    prefix: IPv4Network
    next_hop: IPv4Address | None


@dataclass(frozen=True, slots=True)
class AgentRoutes:
    """`cilium-dbg bgp routes available ipv4 unicast -o json` by node."""

    by_node: Mapping[str, tuple[AgentRoute, ...]]


@dataclass(frozen=True, slots=True)
class RoutePolicy:
    """A policy with the prefixes of all its statements."""

    asn: int
    name: str
    type: str
    prefixes: tuple[IPv4Network, ...]


@dataclass(frozen=True, slots=True)
class RoutePolicies:
    """`cilium-dbg bgp route-policies -o json` by node."""

    by_node: Mapping[str, tuple[RoutePolicy, ...]]


PEERS = ["cilium-dbg", "bgp", "peers", "-o", "json"]
ROUTES = ["cilium-dbg", "bgp", "routes", "available", "ipv4", "unicast", "-o", "json"]
POLICIES = ["cilium-dbg", "bgp", "route-policies", "-o", "json"]


def read_agent_peers(cluster: Cluster) -> AgentPeers:
    return AgentPeers({node: parse_peers(text) for node, text in ask_agents(cluster, PEERS).items()})


def read_agent_routes(cluster: Cluster) -> AgentRoutes:
    return AgentRoutes({node: parse_routes(text) for node, text in ask_agents(cluster, ROUTES).items()})


def read_route_policies(cluster: Cluster) -> RoutePolicies:
    return RoutePolicies({node: parse_policies(text) for node, text in ask_agents(cluster, POLICIES).items()})


def parse_peers(text: str) -> tuple[AgentPeer, ...]:
    """An agent without BGP instance prints `null`."""
    return tuple(_peer(item) for item in parse_json(text, " ".join(PEERS)) or [])


def _peer(item: dict[str, Any]) -> AgentPeer:
    families = item.get("families") or []
    unicast: dict[str, Any] = next((f for f in families if (f.get("afi"), f.get("safi")) == ("ipv4", "unicast")), {})
    return AgentPeer(
        item.get("local-asn", 0),
        item.get("peer-asn", 0),
        IPv4Address(item["peer-address"].rsplit(":", 1)[0]),
        item.get("session-state", "unknown"),
        item.get("applied-hold-time-seconds", 0),
        item.get("applied-keep-alive-time-seconds", 0),
        unicast.get("received", 0),
        unicast.get("accepted", 0),
        unicast.get("advertised", 0),
    )


def parse_routes(text: str) -> tuple[AgentRoute, ...]:
    return tuple(
        AgentRoute(item.get("router-asn", 0), IPv4Network(item["prefix"]), _next_hop(path))
        for item in parse_json(text, " ".join(ROUTES)) or []
        for path in item.get("paths") or []
    )


def _next_hop(path: dict[str, Any]) -> IPv4Address | None:
    attributes = (base64.b64decode(entry["base64"]) for entry in path.get("path-attributes") or [])
    return next((IPv4Address(value) for code, value in map(_attribute, attributes) if code == NEXT_HOP), None)


def _attribute(wire: bytes) -> tuple[int, bytes]:
    """(type code, value) of one path attribute in wire form (RFC 4271, 4.3)."""
    flags, code = wire[0], wire[1]
    return code, wire[4:] if flags & EXTENDED_LENGTH else wire[3:]


def parse_policies(text: str) -> tuple[RoutePolicy, ...]:
    return tuple(
        RoutePolicy(
            item.get("router-asn", 0),
            item["name"],
            item.get("type", ""),
            tuple(
                IPv4Network(match["cidr"])
                for statement in item.get("statements") or []
                for match in statement.get("match-prefixes") or []
            ),
        )
        for item in parse_json(text, " ".join(POLICIES)) or []
    )
