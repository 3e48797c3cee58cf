"""Sessions, or what they carry, are not as they should be (G11 to G14)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from fault_bench import Bench
from lab_faults import BGP, IPV4, configured, deleted, frozen, patched, routed_by_hand, typed

from bgplab.lab.cluster import BGP_ADVERTISEMENT, BGP_CLUSTER_CONFIG, BGP_NODE_CONFIG, BGP_PEER_CONFIG, NODE

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("faults-pods")]

ANSWERED = r"webpod-\S+ on k8s-w0: answered in \S+ s, expected a time-out"
LONG_AGO = "touch -d '1 hour ago' /etc/frr/frr.conf"
PEER_CONFIG = "cilium-peer"
PEERING_STATE = "/status/bgpInstances/0/peers/0/peeringState"
AS_STATUS: dict[str, Any] = {"type": "json", "subresource": "status"}
SHUT = "neighbor 192.168.20.100 shutdown"
NO_NETWORK = ((*IPV4, "no network 10.10.1.0/24"), (*IPV4, "network 10.10.1.0/24"))


@pytest.fixture
def bench(pods_bench: Bench) -> Bench:
    pods_bench.reach("G11")
    return pods_bench


def test_g11_names_a_session_that_is_shut(bench: Bench) -> None:
    with configured(bench.router, (*BGP, SHUT), (*BGP, f"no {SHUT}")):
        bench.fails(
            "G11",
            "k8s-w0: established peers: missing 192.168.10.200;"
            " router: established neighbours: missing 192.168.20.100.*",
        )
    bench.holds("G11")


@pytest.mark.slow
def test_g11_tells_the_hold_time_when_it_is_another(bench: Bench) -> None:
    reset = ("end", "clear bgp 192.168.20.100")
    timers = "neighbor 192.168.20.100 timers"
    with configured(bench.router, (*BGP, f"{timers} 2 6", *reset), (*BGP, f"no {timers} 2 6", *reset)):
        bench.fails(
            "G11",
            "k8s-w0: 192.168.10.200 has hold 6 s, keepalive 2 s; router: 192.168.20.100 has hold 6 s, keepalive 2 s",
        )
    bench.holds("G11")


def test_g11_names_a_node_that_the_configuration_does_not_select(bench: Bench) -> None:
    wrong, right = ({"metadata": {"labels": {"enable-bgp": value}}} for value in (None, "true"))
    with patched(bench.cluster, NODE, "k8s-w0", wrong, right):
        bench.fails(
            "G11",
            "node configurations: missing k8s-w0; k8s-w0: established peers: missing 192.168.10.200;"
            " router: established neighbours: missing 192.168.20.100.*",
        )
    bench.holds("G11")


def test_g11_tells_what_the_operator_says_is_missing(bench: Bench) -> None:
    before = bench.cluster.get(BGP_CLUSTER_CONFIG, "cilium-bgp")
    assert before is not None
    path = "/spec/bgpInstances/0/peers/0/peerConfigRef/name"
    name = before["spec"]["bgpInstances"][0]["peers"][0]["peerConfigRef"]["name"]
    wrong, right = ([{"op": "replace", "path": path, "value": value}] for value in ("nowhere", name))
    with patched(bench.cluster, BGP_CLUSTER_CONFIG, "cilium-bgp", wrong, right, type="json"):
        bench.fails("G11", r"cilium-bgp: .*MissingPeerConfigs: .*\[nowhere\].*")
    bench.holds("G11")


@pytest.mark.slow
def test_g11_fails_when_a_speaker_is_frozen(bench: Bench) -> None:
    with frozen(bench.node("k8s-w0"), "gobgpd"):
        bench.fails("G11", "could not be seen: kube-system/cilium-.*`cilium-dbg bgp peers -o json` ended with .*")
    bench.holds("G11")


@pytest.mark.slow
def test_g11_names_nodes_that_never_say_that_they_have_sent_all(bench: Bench) -> None:
    """Without graceful restart on the nodes there is no End-of-RIB; FRR must not have logged one before, either."""
    wrong, right = ({"spec": {"gracefulRestart": {"enabled": value}}} for value in (False, True))
    again = f"{LONG_AGO}; systemctl restart frr"
    with typed(bench.router, "true", again), patched(bench.cluster, BGP_PEER_CONFIG, PEER_CONFIG, wrong, right):
        bench.router.run(["sh", "-ec", again])
        bench.fails("G11", "router: no End-of-RIB from 192.168.10.100, 192.168.10.101, 192.168.20.100")
    bench.holds("G11")


def test_g12_tells_how_many_prefixes_a_node_received(bench: Bench) -> None:
    with configured(bench.router, *NO_NETWORK):
        bench.fails(
            "G12",
            "; ".join(
                f"{node}: peers: missing 192.168.10.200 AS 65001/65000 established, received 4,"
                " unexpected 192.168.10.200 AS 65001/65000 established, received 3"
                for node in ("k8s-ctr", "k8s-w1", "k8s-w0")
            ),
        )
    bench.holds("G12")


def test_g12_names_the_pod_cidr_that_a_node_does_not_have(bench: Bench) -> None:
    with deleted(bench.cluster, BGP_ADVERTISEMENT, "bgp-advertisements"):
        bench.fails("G12", ".*k8s-w0: own routes: missing 172.20.2.0/24 via 0.0.0.0.*")
    bench.holds("G12")


def test_g12_tells_when_the_status_of_a_node_configuration_is_another(bench: Bench) -> None:
    bench.holds("G12")  # the status is there, which takes the agent up to 6 s
    wrong, right = ([{"op": "replace", "path": PEERING_STATE, "value": value}] for value in ("idle", "established"))
    with insisted(lambda state: bench.cluster.patch(BGP_NODE_CONFIG, "k8s-w1", state, **AS_STATUS), wrong, right):
        bench.fails("G12", "k8s-w1: status of its node configuration: idle")
    bench.holds("G12")


@contextmanager
def insisted(write: Callable[[object], object], wrong: object, right: object) -> Iterator[None]:
    """`wrong` written again and again: every 2 to 6 s the agent puts its status right, as Cilium does."""
    ended = threading.Event()

    def insist() -> None:
        while not ended.wait(0.05):
            write(wrong)

    with ThreadPoolExecutor(1) as beside:
        insisting = beside.submit(insist)
        try:
            yield
        finally:
            ended.set()
            insisting.result(30)
            write(right)


def test_g13_names_a_node_whose_prefixes_are_filtered(bench: Bench) -> None:
    nothing = "ip prefix-list NOTHING seq 5 deny any"
    filtered = "neighbor 192.168.20.100 prefix-list NOTHING in"
    wrong = ("configure terminal", nothing, *IPV4[1:], filtered)
    right = (*IPV4, f"no {filtered}", "end", "configure terminal", f"no {nothing}")
    with configured(bench.router, wrong, right):
        bench.fails(
            "G13",
            r"router: peers \(address, state, prefixes\): missing 192.168.20.100 Established 1,"
            " unexpected 192.168.20.100 Established 0;"
            " router: kernel routes to pods: missing 172.20.2.0/24 via 192.168.20.100",
        )
    bench.holds("G13")


def test_g13_names_a_route_by_another_node(bench: Bench) -> None:
    with routed_by_hand(bench.router, "172.20.2.0/24", "via 192.168.10.101"):
        bench.fails(
            "G13",
            "router: kernel routes to pods: missing 172.20.2.0/24 via 192.168.20.100,"
            " unexpected 172.20.2.0/24 via 192.168.10.101",
        )
    bench.holds("G13")


def test_g13_names_a_route_by_the_wrong_interface(bench: Bench) -> None:
    with routed_by_hand(bench.router, "172.20.2.0/24", "via 192.168.20.100 dev eth1 onlink"):
        bench.fails("G13", "router: 172.20.2.0/24 via 192.168.20.100 leaves by eth1, not eth2")
    bench.holds("G13")


def test_g14_names_a_route_that_was_injected(bench: Bench) -> None:
    route = "172.20.2.0/24 via 192.168.10.200 proto bgp"
    with typed(bench.node("k8s-ctr"), f"ip route add {route}", f"ip route del {route}"):
        bench.fails("G14", "k8s-ctr has 172.20.2.0/24 via 192.168.10.200 proto bgp")
    bench.holds("G14")


def test_g14_fails_when_the_default_route_of_nodes_is_the_router(bench: Bench) -> None:
    uplink = "ip route replace default via 192.0.2.2 dev eth0"
    with ExitStack() as faults:
        for node, router in (("k8s-ctr", "192.168.10.200"), ("k8s-w0", "192.168.20.200")):
            faults.enter_context(typed(bench.node(node), f"ip route replace default via {router}", uplink))
        bench.fails("G14", ANSWERED)
        bench.fails("G06", r"webpod-\S+ at 172.20.2.\d+ on k8s-w0: answered in .* 0 of 60 timed out.*")
    bench.holds("G14")


def test_g14_fails_when_the_routes_of_g15_are_there_too_early(bench: Bench) -> None:
    with ExitStack() as faults:
        for node, router in (("k8s-ctr", "192.168.10.200"), ("k8s-w0", "192.168.20.200")):
            route = f"172.20.0.0/16 via {router}"
            faults.enter_context(typed(bench.node(node), f"ip route add {route}", f"ip route del {route}"))
        bench.fails("G14", ANSWERED)
    bench.holds("G14")


def test_g14_cannot_tell_before_every_prefix_has_arrived(bench: Bench) -> None:
    with configured(bench.router, *NO_NETWORK):
        bench.cannot_tell("G14", "not converged: k8s-ctr, k8s-w0, k8s-w1 has not received every prefix yet")
    bench.holds("G14")
