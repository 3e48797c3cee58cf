from fractions import Fraction

import pytest

from bgplab.traffic.model import (
    Clients,
    Endpoint,
    NextHop,
    RouterView,
    Service,
    Unit,
    expect,
    nodes_that_should_announce,
)

CTR, W1, W0 = "k8s-ctr", "k8s-w1", "k8s-w0"
ENDPOINTS = (
    Endpoint("webpod-a", CTR, "172.20.0.10"),
    Endpoint("webpod-b", W1, "172.20.1.10"),
    Endpoint("webpod-c", W0, "172.20.2.10"),
)
CLIENT = Clients(("192.168.10.200",), 6000)
THIRD = Fraction(1, 3)


def router(paths=(CTR, W0, W1), hash_policy=1, maximum_paths=4, **more):
    return RouterView("router", paths, maximum_paths, hash_policy, **more)


def test_three_paths_and_three_pods_are_thirds_throughout():
    seen = expect(Service("Cluster"), ENDPOINTS, [router()], CLIENT)
    assert seen.node_shares == {CTR: THIRD, W1: THIRD, W0: THIRD}
    assert set(seen.endpoint_shares.values()) == {THIRD}
    assert (seen.node_unit, seen.lost, seen.unsaid) == (Unit.CONNECTION, 0, ())


def test_with_cluster_pods_share_alike_however_few_nodes_receive():
    seen = expect(Service("Cluster"), ENDPOINTS, [router(paths=(CTR,))], CLIENT)
    assert seen.node_shares == {CTR: 1}
    assert set(seen.endpoint_shares.values()) == {THIRD}


def test_with_local_pods_divide_their_own_nodes_part():
    more = (*ENDPOINTS[:2], Endpoint("webpod-d", W1, "172.20.1.11"))
    seen = expect(Service("Local"), more, [router(paths=(CTR, W1))], CLIENT)
    half, quarter = Fraction(1, 2), Fraction(1, 4)
    assert seen.endpoint_shares == {"webpod-a": half, "webpod-b": quarter, "webpod-d": quarter}


def test_a_node_without_pods_that_announces_loses_its_part():
    seen = expect(Service("Local"), ENDPOINTS[:2], [router()], CLIENT, bgp_nodes=(CTR, W1, W0))
    assert seen.lost == THIRD
    assert "k8s-w0 is a next hop but has no ready endpoint" in seen.contradictions
    assert "router: k8s-w0 announces and should not" in seen.contradictions
    assert seen.endpoint_shares == {"webpod-a": Fraction(1, 2), "webpod-b": Fraction(1, 2)}


def test_a_node_that_should_announce_and_does_not_is_named():
    seen = expect(Service("Cluster"), ENDPOINTS, [router(paths=(CTR, W1))], CLIENT, bgp_nodes=(CTR, W1, W0))
    assert seen.contradictions == ("router: k8s-w0 should announce and does not",)


def test_a_pod_that_is_not_ready_may_not_answer():
    unready = (*ENDPOINTS[:2], Endpoint("webpod-c", W0, "172.20.2.10", ready=False))
    assert set(expect(Service("Cluster"), unready, [router()], CLIENT).endpoint_shares) == {"webpod-a", "webpod-b"}


def test_fewer_maximum_paths_than_paths_leave_the_choice_to_the_kernel():
    seen = expect(Service("Cluster"), ENDPOINTS, [router(maximum_paths=2)], CLIENT)
    assert seen.node_shares == {CTR: None, W1: None, W0: None}
    assert seen.unsaid == ("router has 3 paths and installs 2: which ones only its kernel can say",)


def test_the_kernels_next_hops_settle_it():
    installed = (NextHop(CTR), NextHop(W1))
    seen = expect(Service("Cluster"), ENDPOINTS, [router(maximum_paths=2, installed=installed)], CLIENT)
    assert seen.node_shares == {CTR: Fraction(1, 2), W1: Fraction(1, 2)}
    assert seen.contradictions == ()


def test_a_path_missing_in_the_kernel_is_a_contradiction():
    installed = (NextHop(CTR), NextHop(W1))
    seen = expect(Service("Cluster"), ENDPOINTS, [router(installed=installed)], CLIENT)
    assert seen.contradictions == ("router: k8s-w0 has a BGP path but is not in the kernel",)


def test_a_next_hop_without_a_path_is_a_contradiction():
    installed = (NextHop(CTR), NextHop(W1), NextHop(W0))
    seen = expect(Service("Cluster"), ENDPOINTS, [router(paths=(CTR, W1), installed=installed)], CLIENT)
    assert seen.contradictions == ("router: k8s-w0 is in the kernel without a BGP path",)


def test_weights_are_shares():
    installed = (NextHop(CTR, 3), NextHop(W1, 1))
    seen = expect(Service("Cluster"), ENDPOINTS, [router(paths=(CTR, W1), installed=installed)], CLIENT)
    assert seen.node_shares == {CTR: Fraction(3, 4), W1: Fraction(1, 4)}


@pytest.mark.parametrize("addresses", [("10.0.0.1",), ("10.0.0.1", "10.0.0.2", "10.0.0.3")])
def test_hash_policy_0_draws_once_per_client_address(addresses):
    seen = expect(Service("Local"), ENDPOINTS, [router(hash_policy=0)], Clients(addresses, 6000))
    assert (seen.node_unit, seen.node_units) == (Unit.CLIENT, len(addresses))
    assert (seen.endpoint_unit, seen.endpoint_units) == (Unit.CLIENT, len(addresses))


@pytest.mark.parametrize(("fields", "unit"), [(0x7, Unit.CLIENT), (0x17, Unit.CONNECTION), (0x37, Unit.CONNECTION)])
def test_hash_policy_3_draws_per_connection_only_with_a_port_among_its_fields(fields, unit):
    seen = expect(Service("Local"), ENDPOINTS, [router(hash_policy=3, hash_fields=fields)], CLIENT)
    assert seen.node_unit is unit


def test_clients_behind_routes_count_as_the_addresses_they_are():
    """An address in no node subnet is one draw, as one within: the hash sees its number only."""
    addresses = ("192.168.10.200", "203.0.113.7", "198.51.100.9")
    seen = expect(Service("Cluster"), ENDPOINTS, [router(hash_policy=0)], Clients(addresses, 6000))
    assert (seen.node_unit, seen.node_units, seen.node_shares[CTR]) == (Unit.CLIENT, 3, THIRD)


def test_hash_policy_0_on_one_of_two_routers_is_enough_to_draw_per_client():
    routers = [router(), RouterView("router-2", (CTR, W0, W1), 4, 0)]
    assert expect(Service("Cluster"), ENDPOINTS, routers, CLIENT).node_unit is Unit.CLIENT


def test_hash_policy_0_does_not_change_what_pods_get_with_cluster():
    seen = expect(Service("Cluster"), ENDPOINTS, [router(hash_policy=0)], CLIENT)
    assert seen.endpoint_unit is Unit.CONNECTION


def test_few_source_ports_are_drawn_once_each():
    seen = expect(Service("Local"), ENDPOINTS, [router()], Clients(("10.0.0.1",), 6000, source_ports=10))
    assert (seen.node_unit, seen.node_units) == (Unit.FLOW, 10)


def test_few_source_ports_of_several_addresses_are_that_many_flows_more():
    seen = expect(Service("Local"), ENDPOINTS, [router()], Clients(("10.0.0.1", "10.0.0.2"), 6000, source_ports=10))
    assert (seen.node_unit, seen.node_units) == (Unit.FLOW, 20)


def test_as_many_source_ports_as_connections_are_enough():
    seen = expect(Service("Local"), ENDPOINTS, [router()], Clients(("10.0.0.1",), 600, source_ports=600))
    assert (seen.node_unit, seen.unsaid) == (Unit.CONNECTION, ())


def test_session_affinity_with_local_draws_a_client_once_for_each_node_it_reaches():
    seen = expect(Service("Local", affinity=True), ENDPOINTS, [router()], CLIENT)
    assert (seen.node_unit, seen.endpoint_unit) == (Unit.CONNECTION, Unit.CLIENT)
    assert any("session affinity" in said for said in seen.unsaid)


def test_unequal_pods_leave_nodes_alike_and_pods_not():
    """Three pods on one node share a third; the guide's trap of Local."""
    more = (*ENDPOINTS, Endpoint("webpod-d", W0, "172.20.2.11"), Endpoint("webpod-e", W0, "172.20.2.12"))
    seen = expect(Service("Local"), more, [router()], CLIENT)
    assert set(seen.node_shares.values()) == {THIRD}
    assert [seen.endpoint_shares[name] for name in ("webpod-a", "webpod-c", "webpod-e")] == [
        THIRD,
        Fraction(1, 9),
        Fraction(1, 9),
    ]


def test_two_routers_that_install_fewer_paths_each_leave_shares_unsaid():
    routers = [router(maximum_paths=2), RouterView("router-2", (CTR, W0, W1), 2, 1)]
    assert set(expect(Service("Cluster"), ENDPOINTS, routers, CLIENT).node_shares.values()) == {None}


def test_session_affinity_draws_endpoints_per_client():
    seen = expect(Service("Cluster", affinity=True), ENDPOINTS, [router()], CLIENT)
    assert (seen.endpoint_unit, seen.endpoint_units) == (Unit.CLIENT, 1)
    assert (seen.node_unit, seen.node_units) == (Unit.CONNECTION, 6000)


def test_two_routers_with_the_same_paths_need_no_division():
    routers = [router(), RouterView("router-2", (CTR, W0, W1), 4, 1)]
    assert expect(Service("Cluster"), ENDPOINTS, routers, CLIENT).node_shares == {CTR: THIRD, W1: THIRD, W0: THIRD}


def test_two_routers_with_different_paths_do():
    other = RouterView("router-2", (CTR,), 4, 1)
    unknown = expect(Service("Cluster"), ENDPOINTS, [router(paths=(CTR, W1)), other], CLIENT)
    assert set(unknown.node_shares.values()) == {None}
    half = Fraction(1, 2)
    shared = [router(paths=(CTR, W1), share=half), RouterView("router-2", (CTR,), 4, 1, share=half)]
    known = expect(Service("Cluster"), ENDPOINTS, shared, CLIENT)
    assert known.node_shares == {CTR: Fraction(3, 4), W1: Fraction(1, 4)}


def test_without_an_endpoint_everything_is_lost():
    seen = expect(Service("Cluster"), (), [router()], CLIENT)
    assert (seen.endpoints, seen.lost) == ((), 1)


def test_without_a_path_everything_is_lost():
    seen = expect(Service("Cluster"), ENDPOINTS, [router(paths=())], CLIENT)
    assert (seen.nodes, seen.endpoints, seen.lost) == ((), (), 1)


def test_shares_sum_to_one():
    uneven = tuple(Endpoint(f"pod-{n}", (CTR, W1, W0)[n % 3], f"172.20.0.{n}") for n in range(7))
    for policy in ("Cluster", "Local"):
        seen = expect(Service(policy), uneven, [router()], CLIENT)
        assert sum(seen.node_shares.values()) == sum(seen.endpoint_shares.values()) == 1


def test_with_local_only_nodes_with_a_ready_pod_announce():
    assert nodes_that_should_announce(Service("Local"), ENDPOINTS[:2], (CTR, W1, W0)) == {CTR, W1}
    assert nodes_that_should_announce(Service("Cluster"), ENDPOINTS[:2], (CTR, W1, W0)) == {CTR, W1, W0}


def test_nothing_sent_is_nothing_to_expect():
    with pytest.raises(ValueError, match="at least one"):
        expect(Service("Cluster"), ENDPOINTS, [], CLIENT)
