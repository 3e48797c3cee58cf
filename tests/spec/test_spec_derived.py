from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest

from bgplab.spec import derived
from bgplab.spec.derived import StaticRoute
from bgplab.spec.loading import load_lab, scale_lab
from bgplab.spec.model import Pool

GUIDE = load_lab("guide")
TWO_ROUTERS = load_lab("two-routers")


def networks(*written: str) -> frozenset[IPv4Network]:
    return frozenset(map(IPv4Network, written))


@pytest.mark.parametrize(
    ("node", "via"), [("k8s-ctr", "192.168.10.200"), ("k8s-w1", "192.168.10.200"), ("k8s-w0", "192.168.20.200")]
)
def test_the_route_to_all_pods_is_the_guides(node: str, via: str) -> None:
    expected = StaticRoute(IPv4Network("172.20.0.0/16"), IPv4Address(via))
    assert derived.pod_route(GUIDE, derived.node_named(GUIDE, node)) == expected


def test_a_node_reaches_every_other_node_subnet_through_a_router_of_its_own() -> None:
    spec = load_lab("five-nodes")
    assert derived.subnet_routes(spec, derived.node_named(spec, "k8s-w4")) == (
        StaticRoute(IPv4Network("192.168.10.0/24"), IPv4Address("192.168.30.200")),
        StaticRoute(IPv4Network("192.168.20.0/24"), IPv4Address("192.168.30.200")),
    )


def test_neighbours_are_the_others_of_the_subnet() -> None:
    first, second, third = GUIDE.cluster.nodes
    assert derived.neighbours(GUIDE, first) == (second,)
    assert derived.neighbours(GUIDE, third) == ()


def test_every_node_peers_with_the_first_address_of_every_router() -> None:
    planned = {(each.node.name, each.name, str(each.router_address)) for each in derived.peerings(TWO_ROUTERS)}
    assert planned == {
        (node, name, address)
        for node in ("k8s-ctr", "k8s-w1", "k8s-w0")
        for name, address in (("tor-a", "192.168.10.200"), ("tor-b", "192.168.10.201"))
    }


def test_routers_without_a_name_in_the_cluster_are_numbered() -> None:
    spec = load_lab("two-routers", {"clusters[0].bgp.peer_names": "[]"})
    assert derived.peer_names(spec, spec.cluster) == ("tor-switch", "tor-switch-2")


def test_the_guides_nodes_receive_four_prefixes_their_own_among_them() -> None:
    expected = networks("10.10.1.0/24", "172.20.0.0/24", "172.20.1.0/24", "172.20.2.0/24")
    for node in GUIDE.cluster.nodes:
        assert derived.received_prefixes(GUIDE, node, GUIDE.routers[0]) == expected


def test_an_announced_vip_is_one_prefix_more() -> None:
    vip = IPv4Network("172.16.1.1/32")
    received = derived.received_prefixes(GUIDE, GUIDE.cluster.nodes[0], GUIDE.routers[0], [vip])
    assert vip in received and len(received) == 5


def test_a_sole_peer_gets_its_own_prefixes_back_too() -> None:
    spec = scale_lab(1)
    received = derived.received_prefixes(spec, spec.cluster.nodes[0], spec.routers[0], [IPv4Network("172.16.1.1/32")])
    assert received == networks("10.10.1.0/24", "172.20.0.0/24", "172.16.1.1/32")


def test_the_application_runs_where_routers_know_the_way_to() -> None:
    spec = load_lab("guide", {"clusters[0].nodes[0].bgp": "false", "clusters[0].app.client_node": "null"})
    assert [node.name for node in derived.app_nodes(spec.cluster)] == ["k8s-w1", "k8s-w0"]
    assert spec.cluster.app.replicas == 2
    assert derived.client_node(spec.cluster).name == "k8s-w1"


def test_the_application_of_a_mesh_needs_no_bgp() -> None:
    west = load_lab("mesh").clusters[0]
    assert derived.app_nodes(west) == west.nodes and west.app.replicas == len(west.nodes)


def test_a_node_without_bgp_announces_and_receives_nothing() -> None:
    spec = load_lab("guide", {"clusters[0].nodes[1].bgp": "false"})
    silent = spec.cluster.nodes[1]
    assert derived.announced_prefixes(silent) == derived.received_prefixes(spec, silent, spec.routers[0]) == frozenset()


def test_each_router_sends_its_own_networks() -> None:
    node, second = TWO_ROUTERS.cluster.nodes[0], TWO_ROUTERS.routers[1]
    received = derived.received_prefixes(TWO_ROUTERS, node, second)
    assert IPv4Network("10.10.2.0/24") in received and IPv4Network("10.10.1.0/24") not in received


@pytest.mark.parametrize(
    ("cidr", "all_of_it", "usable", "first"),
    [  # as the real LB-IPAM counted (facts/cilium-observed.md, 2.2)
        ("172.16.1.0/24", False, 254, "172.16.1.1"),
        ("172.16.1.0/24", True, 256, "172.16.1.0"),
        ("172.16.1.0/30", False, 2, "172.16.1.1"),
        ("172.16.1.0/31", False, 2, "172.16.1.0"),
        ("172.16.1.7/32", False, 1, "172.16.1.7"),
    ],
)
def test_a_pool_hands_out_what_lb_ipam_hands_out(cidr: str, all_of_it: bool, usable: int, first: str) -> None:
    pool = Pool(cidr=IPv4Network(cidr), allow_first_last=all_of_it)
    assert (derived.usable_addresses(pool), str(derived.first_vip(pool))) == (usable, first)


def test_the_client_runs_on_the_first_node_unless_the_description_says_otherwise() -> None:
    assert derived.client_node(load_lab("five-nodes").cluster).name == "k8s-ctr"
    elsewhere = load_lab("guide", {"clusters[0].app.client_node": "k8s-w1"})
    assert derived.client_node(elsewhere.cluster).name == "k8s-w1"
