"""`ip -j route`: the kernel's own table (shapes: facts/frr.md 11)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from bgplab.lab.shell import Shell
from bgplab.observe.foreign import parse_json
from bgplab.observe.side_by_side import by_name

COMMAND = ["ip", "-j", "route"]
#: iproute2 prints the number where it has no name for a protocol (rt_protos).
_PROTOCOL_NAMES = {"186": "bgp", "11": "zebra"}


@dataclass(frozen=True, slots=True)
class NextHop:
    via: IPv4Address | None
    device: str | None


@dataclass(frozen=True, slots=True)
class KernelRoute:
    prefix: IPv4Network
    protocol: str
    next_hops: tuple[NextHop, ...]

    @property
    def gateways(self) -> set[IPv4Address]:
        return {hop.via for hop in self.next_hops if hop.via}


@dataclass(frozen=True, slots=True)
class RouteTable:
    routes: tuple[KernelRoute, ...]

    def to(self, prefix: IPv4Network) -> KernelRoute | None:
        return next((route for route in self.routes if route.prefix == prefix), None)

    def of_protocol(self, protocol: str) -> tuple[KernelRoute, ...]:
        return tuple(route for route in self.routes if route.protocol == protocol)


@dataclass(frozen=True, slots=True)
class RouterRoutes:
    by_router: Mapping[str, RouteTable]


@dataclass(frozen=True, slots=True)
class NodeRoutes:
    by_node: Mapping[str, RouteTable]


def read_routes(host: Shell) -> RouteTable:
    return parse_routes(host.run(COMMAND).stdout)


def read_router_routes(routers: Mapping[str, Shell]) -> RouterRoutes:
    return RouterRoutes(by_name(read_routes, routers))


def read_node_routes(nodes: Mapping[str, Shell]) -> NodeRoutes:
    return NodeRoutes(by_name(read_routes, nodes))


def parse_routes(text: str) -> RouteTable:
    return RouteTable(tuple(_route(item) for item in parse_json(text, "ip -j route")))


def _route(item: dict[str, Any]) -> KernelRoute:
    """A host route has no /32; a single path has gateway and dev at the top level and no nexthops."""
    prefix = IPv4Network("0.0.0.0/0" if item["dst"] == "default" else item["dst"])
    protocol = str(item.get("protocol", "boot"))
    return KernelRoute(
        prefix,
        _PROTOCOL_NAMES.get(protocol, protocol),
        tuple(
            NextHop(IPv4Address(hop["gateway"]) if "gateway" in hop else None, hop.get("dev"))
            for hop in item.get("nexthops") or [item]
        ),
    )
