"""What the rules look over: every host, address and network of a description, with its path."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import TypeVar

from bgplab.spec.derived import router_address_in
from bgplab.spec.model import LabSpec, Node, Router, Subnet
from bgplab.spec.places import Path, dotted
from bgplab.spec.rules.registry import Breach

Value = TypeVar("Value", bound=Hashable)


def nodes_of(spec: LabSpec) -> Iterator[tuple[Path, Node]]:
    for number, cluster in enumerate(spec.clusters):
        for index, node in enumerate(cluster.nodes):
            yield ("clusters", number, "nodes", index), node


def routers_of(spec: LabSpec) -> Iterator[tuple[Path, Router]]:
    for index, router in enumerate(spec.routers):
        yield ("routers", index), router


def addresses_of(spec: LabSpec) -> Iterator[tuple[Path, IPv4Address]]:
    for path, router in routers_of(spec):
        for index, address in enumerate(router.addresses):
            yield (*path, "addresses", index), address
    for path, node in nodes_of(spec):
        yield (*path, "address"), node.address


def wired_networks(spec: LabSpec) -> list[tuple[Path, IPv4Network]]:
    """The networks of segments and of routers' loopbacks."""
    networks: list[tuple[Path, IPv4Network]] = [
        (("subnets", index, "cidr"), subnet.cidr) for index, subnet in enumerate(spec.subnets)
    ]
    for path, router in routers_of(spec):
        networks += [((*path, "networks", index), network) for index, network in enumerate(router.networks)]
    return networks


def node_subnets(spec: LabSpec) -> list[tuple[Subnet, Path, bool]]:
    """Every subnet with nodes, its path, and whether one of these has BGP."""
    found: list[tuple[Subnet, Path, bool]] = []
    for index, subnet in enumerate(spec.subnets):
        inside = [node for _, node in nodes_of(spec) if node.address in subnet.cidr]
        if inside:
            found.append((subnet, ("subnets", index), any(node.bgp for node in inside)))
    return found


def through_another(spec: LabSpec, start: IPv4Address, router: Router) -> bool:
    """Whether the way from a node to the address it peers with leads through another router."""
    if not router.addresses:
        return False
    own, end = home_of(spec, start), home_of(spec, router.addresses[0])
    joining = [
        each for each in spec.routers if own and end and router_address_in(each, own) and router_address_in(each, end)
    ]
    return own != end and bool(joining) and joining[0] != router


def home_of(spec: LabSpec, address: IPv4Address) -> Subnet | None:
    return next((subnet for subnet in spec.subnets if address in subnet.cidr), None)


def repeated(items: Iterable[tuple[Path, Value]]) -> Iterator[tuple[Path, Value, Path]]:
    """Every item whose value was there before, with the path of the first."""
    first: dict[Value, Path] = {}
    for path, value in items:
        if value in first:
            yield path, value, first[value]
        first.setdefault(value, path)


def overlaps(networks: list[tuple[Path, IPv4Network]]) -> Iterator[Breach]:
    """Every network that lies in, or is, another of them. Sorted, as networks nest or are apart: no pairs compared."""
    widest: int | None = None
    for index in sorted(range(len(networks)), key=lambda at: (networks[at][1], at)):
        if widest is None or not networks[index][1].subnet_of(networks[widest][1]):
            widest = index
            continue
        (first, one), (later, other) = (networks[at] for at in sorted((index, widest)))
        yield Breach(
            later,
            f"{other} is also {dotted(first)}" if one == other else f"{other} overlaps {dotted(first)}, {one}",
            "an address must belong to one of them, or its route leads to the wrong one",
            "take another network",
        )


def listed(items: Iterable[object]) -> str:
    """The items in a message: the first five, and how many more."""
    written = [str(item) for item in items]
    return ", ".join(written[:5]) + (f" and {len(written) - 5} more" if len(written) > 5 else "")
