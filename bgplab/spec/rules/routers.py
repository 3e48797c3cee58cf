"""Routers: who is where, and who can reach whom."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from bgplab.spec.derived import router_address_in
from bgplab.spec.model import LabSpec
from bgplab.spec.rules.registry import Breach, rule
from bgplab.spec.rules.walks import home_of, listed, node_subnets, repeated, routers_of, through_another


@rule("routers.addresses", "subnets")
def a_router_has_one_address_per_subnet(spec: LabSpec) -> Iterator[Breach]:
    for path, router in routers_of(spec):
        if not router.addresses:
            yield Breach(
                (*path, "addresses"),
                "there are no addresses",
                "nodes peer with the router's first address",
                "give it one in every subnet",
            )
        homes = [home_of(spec, address) for address in router.addresses]
        for at, home, _ in repeated([((*path, "addresses", index), home) for index, home in enumerate(homes) if home]):
            yield Breach(
                at,
                f"{router.addresses[int(at[-1])]} is a second address in subnet {home.name!r}",
                "a router has one interface, with one address, in a subnet",
                "remove it",
            )


@rule("routers", "subnets")
def every_node_reaches_every_router(spec: LabSpec) -> Iterator[Breach]:
    if not spec.routers:
        return
    for subnet, path, bgp in node_subnets(spec):
        absent = [router for router in spec.routers if router_address_in(router, subnet) is None]
        if len(absent) == len(spec.routers):
            yield Breach(
                path,
                f"subnet {subnet.name!r} has nodes but no router",
                "its nodes would reach no other subnet and no BGP peer",
                f"give a router an address in {subnet.cidr}",
            )
        elif bgp and absent:
            yield Breach(
                path,
                f"subnet {subnet.name!r} has nodes with BGP but no address of {listed(r.name for r in absent)}",
                "every node peers with every router, and routers have no routes to each other's subnets",
                f"give each router an address in {subnet.cidr}",
            )


@rule("routers", "subnets")
def a_router_joins_any_two_node_subnets(spec: LabSpec) -> Iterator[Breach]:
    served = [each for each in node_subnets(spec) if any(router_address_in(r, each[0]) for r in spec.routers)]
    for (one, _, _), (other, path, _) in combinations(served, 2):
        if not any(router_address_in(r, one) and router_address_in(r, other) for r in spec.routers):
            yield Breach(
                path,
                f"no router is in both {one.name!r} and {other.name!r}",
                "routers do not route to each other's subnets, so their nodes cannot reach each other",
                "give one router an address in both",
            )


@rule("routers", "subnets", "clusters.bgp.ebgp_multihop")
def forwarded_sessions_need_multihop(spec: LabSpec) -> Iterator[Breach]:
    """A router's own address in another subnet is delivered locally; another router's costs a hop."""
    for index, cluster in enumerate(spec.clusters):
        forwarded = [
            f"{node.name} to {router.name}"
            for node in cluster.nodes
            for router in spec.routers
            if node.bgp and cluster.bgp.ebgp_multihop < 2 and through_another(spec, node.address, router)
        ]
        if forwarded:
            yield Breach(
                ("clusters", index, "bgp", "ebgp_multihop"),
                f"1 is too few for {listed(forwarded)}",
                "the first router forwards these packets and takes one off their TTL",
                "write 2 or more",
            )
