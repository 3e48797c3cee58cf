"""Pods, and who reaches whom, are not as they should be before there is BGP (G03 to G06)."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from fault_bench import Bench
from lab_faults import deleted, nft_chain, patched, typed

from bgplab.lab.cluster import DEPLOYMENT, POD, SERVICE

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("faults-pods")]

FAR_POD = r"webpod-\S+ at 172.20.2.\d+ on k8s-w0"
P_VALUE = r"\(p = \S+\)"


@pytest.fixture
def bench(pods_bench: Bench) -> Bench:
    pods_bench.reach("G03")
    return pods_bench


def test_g03_counts_pods_that_are_gone(bench: Bench) -> None:
    with patched(bench.cluster, DEPLOYMENT, "webpod", {"spec": {"replicas": 2}}, {"spec": {"replicas": 3}}, "default"):
        bench.fails("G03", "2 of 3 pods run")
    bench.holds("G03")


def test_g03_names_a_client_that_is_missing(bench: Bench) -> None:
    with deleted(bench.cluster, POD, "curl-pod", "default"):
        bench.fails("G03", "curl-pod is missing, expected Running on k8s-ctr")
    bench.holds("G03")


def test_g03_names_a_service_that_is_missing(bench: Bench) -> None:
    with deleted(bench.cluster, SERVICE, "webpod", "default"):
        bench.fails("G03", r"Service webpod has no cluster IP in 10.96.0.0/16: None; ready endpoints: missing .*")
    bench.holds("G03")


def test_g03_names_a_node_that_is_crowded(bench: Bench) -> None:
    before = bench.cluster.get(DEPLOYMENT, "webpod", "default")
    assert before is not None
    affinity = before["spec"]["template"]["spec"]["affinity"]
    wrong = {"spec": {"template": {"spec": {"affinity": None, "nodeName": "k8s-w1"}}}}
    right = {"spec": {"template": {"spec": {"affinity": affinity, "nodeName": None}}}}
    with patched(bench.cluster, DEPLOYMENT, "webpod", wrong, right, "default"):
        bench.fails("G03", "more than one pod on k8s-w1")
    bench.holds("G03")


def test_g04_names_a_near_pod_that_is_not_routed(bench: Bench) -> None:
    with typed(
        bench.node("k8s-ctr"), "ip route del 172.20.1.0/24", "ip route add 172.20.1.0/24 via 192.168.10.101 dev eth1"
    ):
        bench.fails("G04", r"webpod-\S+ at 172.20.1.\d+ on k8s-w1 did not answer: curl exit 28, HTTP nothing")
    bench.holds("G04")


def test_g04_tells_when_only_the_name_does_not_work(bench: Bench) -> None:
    with nft_chain(bench.node("k8s-ctr"), "filter hook prerouting priority -300", "udp dport 53 drop"):
        bench.fails("G04", r"by the name webpod none of webpod-\S+, webpod-\S+ answered \(none did\)")
        bench.fails("G06", r"60 requests failed otherwise: the name did not resolve \(curl exit 28\);.*")
    bench.holds("G04")


def test_g05_names_the_address_behind_which_the_client_is_hidden(bench: Bench) -> None:
    with nft_chain(
        bench.node("k8s-ctr"), "nat hook postrouting priority 50", 'oifname "eth1" ip saddr 172.20.0.0/24 masquerade'
    ):
        bench.fails("G05", r"pods saw 192.168.10.100 instead of 172.20.0.\d+")
    bench.holds("G05")


def test_g06_fails_when_routes_are_there_too_early(bench: Bench) -> None:
    routes = {
        "k8s-ctr": ("172.20.2.0/24", "192.168.10.200"),
        "k8s-w0": ("172.20.0.0/24", "192.168.20.200"),
        "router": ("172.20.2.0/24", "192.168.20.100"),
    }
    with ExitStack() as faults:
        for host, (pods, via) in routes.items():
            faults.enter_context(
                typed(bench.lab.hosts[host], f"ip route add {pods} via {via}", f"ip route del {pods} via {via}")
            )
        back = "172.20.0.0/24 via 192.168.10.100"
        faults.enter_context(typed(bench.router, f"ip route add {back}", f"ip route del {back}"))
        bench.fails(
            "G06",
            rf"{FAR_POD}: answered in \S+ s, expected a time-out \(curl exit 28\); webpod-\S+ answered through the"
            rf" Service; through the Service 0 of 60 timed out, expected 33.3% {P_VALUE}",
        )
    bench.holds("G06")


def test_g06_fails_when_pods_are_refused_instead_of_silent(bench: Bench) -> None:
    default = "default via 192.0.2.2 dev eth0"
    with typed(bench.node("k8s-ctr"), f"ip route del {default}", f"ip route add {default}"):
        bench.fails(
            "G06",
            rf"{FAR_POD}: curl exit 7, HTTP nothing, expected .*\d+ requests failed otherwise: curl exit 7.*",
        )
    bench.holds("G06")
