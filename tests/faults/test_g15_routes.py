"""Nodes' routes to pods, or what they make possible, are not as they should be (G15 to G17)."""

from __future__ import annotations

import pytest
from fault_bench import Bench
from lab_faults import nft_chain, typed

from bgplab.observe.endpoint_slices import Endpoint, read_endpoints

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("faults-pods")]

PODS = "172.20.0.0/16"
FAR_POD = r"webpod-\S+ at 172.20.2.\d+ on k8s-w0"


@pytest.fixture
def bench(pods_bench: Bench) -> Bench:
    pods_bench.reach("G15")
    return pods_bench


def test_g15_names_a_node_without_its_route(bench: Bench) -> None:
    right = f"{PODS} via 192.168.10.200"
    with typed(bench.node("k8s-w1"), f"ip route del {PODS}", f"ip route add {right}"):
        bench.fails("G15", f"k8s-w1 has no route to {PODS}")
    bench.holds("G15")


def test_g15_names_a_next_hop_that_is_not_the_router(bench: Bench) -> None:
    wrong, right = (f"ip route replace {PODS} via {via}" for via in ("192.168.10.100", "192.168.10.200"))
    with typed(bench.node("k8s-w1"), wrong, right):
        bench.fails("G15", f"k8s-w1 has {PODS} via 192.168.10.100, expected 192.168.10.200")
    bench.holds("G15")


def test_g16_names_a_pod_that_has_no_way_back(bench: Bench) -> None:
    right = f"{PODS} via 192.168.20.200"
    with typed(bench.node("k8s-w0"), f"ip route del {PODS}", f"ip route add {right}"):
        bench.fails(
            "G16", rf"\d+ of \d+ requests failed: curl exit 28, HTTP nothing; {FAR_POD} did not answer: curl exit 28.*"
        )
    bench.holds("G16")


def test_g16_names_pods_that_the_service_never_chooses(bench: Bench) -> None:
    (near,) = (entry for entry in endpoints_of(bench) if entry.node == "k8s-w1")
    with nft_chain(
        bench.node("k8s-ctr"),
        "nat hook prerouting priority -110",
        f"ip daddr 10.96.0.0/16 tcp dport 80 dnat to {near.address}",
    ):
        bench.fails("G16", r"pods that answered: missing webpod-\S+, webpod-\S+")
    bench.holds("G16")


def endpoints_of(bench: Bench) -> tuple[Endpoint, ...]:
    app = bench.spec.cluster.app
    return read_endpoints(bench.cluster, app.name, app.namespace).ready


def test_g17_names_a_pod_whose_end_of_connection_nobody_saw(bench: Bench) -> None:
    with nft_chain(
        bench.node("k8s-ctr"),
        "filter hook forward priority -10",
        "ip saddr 172.20.2.0/24 tcp flags & fin == fin drop",
    ):
        bench.fails("G17", r"webpod-\S+ → curl-pod: no FORWARDED record with FIN")
    bench.holds("G17")


def test_g17_cannot_tell_when_no_pod_was_reached(bench: Bench) -> None:
    with nft_chain(bench.node("k8s-ctr"), "filter hook forward priority -10", "tcp dport 80 drop"):
        bench.cannot_tell("G17", "curl-pod reached no pod, so there is nothing to record")
    bench.holds("G17")


def test_g17_fails_when_flows_are_not_recorded(bench: Bench) -> None:
    """The log is taken where a node forwards (nftables); records of earlier requests are still there."""
    chain = "chain ip bgplab_flows segment"
    nothing = "insert rule ip bgplab_flows segment return"
    first = f"$(nft -a list {chain} | grep -m1 -o 'return # handle .*' | cut -d' ' -f4)"
    with typed(bench.node("k8s-ctr"), f"nft {nothing}", f"nft delete rule ip bgplab_flows segment handle {first}"):
        lacking = "no FORWARDED record with ACK, FIN, SYN"
        bench.fails("G17", rf"curl-pod → webpod-\S+: {lacking}; (.*: {lacking}; ){{4}}webpod-\S+ → curl-pod: {lacking}")
    bench.holds("G17")
