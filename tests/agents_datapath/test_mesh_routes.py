"""Routes to other clusters' pods, in the kernel of a node."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

import pytest
from datapath_world import NODE_B, World

from bgplab.backends.embedded.agents.mesh.remote_store import RemoteNode
from bgplab.backends.embedded.agents.mesh.routes import PodRoutes, routes_to

PODS, MORE_PODS = IPv4Network("10.1.1.0/24"), IPv4Network("10.1.2.0/24")
NEIGHBOUR, FAR = IPv4Address(NODE_B), IPv4Address("203.0.113.9")


@pytest.fixture
def routes(world: World) -> Iterator[PodRoutes]:
    made = PodRoutes("a", world.a)
    yield made
    made.become({})


def in_kernel(world: World) -> list[str]:
    return [line.strip() for line in world.a.run(["ip", "route", "show", "root", "10.1.0.0/16"]).stdout.splitlines()]


def test_pods_of_a_node_on_the_same_network_are_routed_to_it(world: World, routes: PodRoutes) -> None:
    routes.become({PODS: NEIGHBOUR, MORE_PODS: NEIGHBOUR})
    assert in_kernel(world) == [f"{prefix} via {NODE_B} dev eth1" for prefix in (PODS, MORE_PODS)]


def test_what_is_no_longer_wanted_goes(world: World, routes: PodRoutes) -> None:
    routes.become({PODS: NEIGHBOUR, MORE_PODS: NEIGHBOUR})
    routes.become({MORE_PODS: NEIGHBOUR})
    assert in_kernel(world) == [f"{MORE_PODS} via {NODE_B} dev eth1"]


def test_a_node_behind_a_gateway_gets_no_route(world: World, routes: PodRoutes) -> None:
    world.a.run(["ip", "route", "replace", f"{FAR}/32", "via", NODE_B])
    routes.become({PODS: FAR, MORE_PODS: NEIGHBOUR})
    world.a.run(["ip", "route", "del", f"{FAR}/32"])
    assert in_kernel(world) == [f"{MORE_PODS} via {NODE_B} dev eth1"]


def test_two_clusters_that_claim_the_same_pods_share_one_route() -> None:
    nodes = [RemoteNode("east", "e", NEIGHBOUR, PODS), RemoteNode("north", "n", FAR, PODS)]
    assert routes_to([*nodes, RemoteNode("north", "m", FAR, None)]) == {PODS: NEIGHBOUR}
