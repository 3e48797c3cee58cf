"""Traffic policy Local does not do what it should (G24 to G26)."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from fault_bench import Bench
from lab_faults import BGP, configured, frozen, nft_chain, patched

from bgplab.checks.finding import Verdict
from bgplab.lab.cluster import DEPLOYMENT, SERVICE
from bgplab.lab.waiting import Deadline, wait_until

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("faults-service")]

VIP, NODES = "172.16.1.1", ("k8s-ctr", "k8s-w1", "k8s-w0")
SHUT = "neighbor 192.168.20.100 shutdown"


@pytest.fixture
def bench(service_bench: Bench) -> Bench:
    service_bench.reach("G24")
    return service_bench


def test_g24_tells_when_the_policy_is_another(bench: Bench) -> None:
    wrong, right = ({"spec": {"externalTrafficPolicy": policy}} for policy in ("Cluster", "Local"))
    with patched(bench.cluster, SERVICE, "webpod", wrong, right, "default"):
        bench.fails("G24", "externalTrafficPolicy is Cluster, expected Local")
    bench.holds("G24")


def test_g24_names_a_node_with_a_pod_that_does_not_announce(bench: Bench) -> None:
    with configured(bench.router, (*BGP, SHUT), (*BGP, f"no {SHUT}")):
        bench.fails(
            "G24",
            f"router: paths to {VIP}: missing 192.168.20.100; router: 2 paths are in use .multipath., expected 3",
        )
    bench.holds("G24")


@pytest.mark.slow
def test_g24_names_a_node_without_a_pod_that_still_announces(bench: Bench) -> None:
    """Frozen speakers cannot withdraw; their sessions live on until the hold time ends (9 s)."""
    wrong, right = ({"spec": {"replicas": count}} for count in (2, 3))
    with ExitStack() as faults:
        faults.enter_context(patched(bench.cluster, DEPLOYMENT, "webpod", right, right, "default"))
        for node in NODES:
            faults.enter_context(frozen(bench.node(node), "gobgpd"))
        bench.cluster.patch(DEPLOYMENT, "webpod", wrong, "default")
        bench.fails(
            "G24",
            rf"router: paths to {VIP}: unexpected 192.168.[12]0.10[01];"
            " router: 3 paths are in use .multipath., expected 2",
        )
    bench.holds("G24")


def test_g25_names_the_address_behind_which_a_node_hides_the_client(bench: Bench) -> None:
    with ExitStack() as faults:
        for node in NODES:
            rule = 'oifname "lxc*" ip saddr 192.168.0.0/16 tcp dport 80 masquerade'
            faults.enter_context(nft_chain(bench.node(node), "nat hook postrouting priority 50", rule))
        bench.fails("G25", r"with Local pods saw 172.20.[012].1, not router's own address")
    bench.holds("G25")


def test_g25_names_an_address_that_is_nobodys_with_policy_cluster(bench: Bench) -> None:
    rule = 'oifname "lxc*" ip saddr 192.168.0.0/16 tcp dport 80 snat to 10.9.9.9'
    with ExitStack() as faults:
        for node in NODES:
            faults.enter_context(nft_chain(bench.node(node), "nat hook postrouting priority 50", rule))
        look_with_cluster(bench, {"10.9.9.9"})
    bench.fails("G25", r"with Cluster webpod-\S+ saw 10.9.9.9, neither a node's nor router's; .*")
    look_with_cluster(bench, {str(node.address) for node in bench.spec.cluster.nodes})
    bench.holds("G25")


def look_with_cluster(bench: Bench, sources: set[str]) -> None:
    """What pods see with policy Cluster, once it is in force: some of these addresses."""
    wrong, right = ({"spec": {"externalTrafficPolicy": policy}} for policy in ("Cluster", "Local"))
    with patched(bench.cluster, SERVICE, "webpod", wrong, right, "default"):
        wait_until(
            lambda: _sources(bench), holds=lambda seen: bool(seen & sources), within=Deadline.after(30), what="seen"
        )
    bench.holds("G24")


def _sources(bench: Bench) -> set[str]:
    bench.judge("G23")
    seen = bench.context.vip_requests["Cluster"].by_router["router"]
    return {str(request.body.remote) for request in seen if request.body}


def test_g25_cannot_tell_when_the_policy_is_not_local(bench: Bench) -> None:
    wrong, right = ({"spec": {"externalTrafficPolicy": policy}} for policy in ("Cluster", "Local"))
    with patched(bench.cluster, SERVICE, "webpod", wrong, right, "default"):
        bench.cannot_tell("G25", "nothing was sent with policy Local")
    look_with_cluster(bench, {str(node.address) for node in bench.spec.cluster.nodes})  # it may have looked too early
    bench.holds("G25")


def test_g26_counts_requests_that_fail_after_convergence(bench: Bench) -> None:
    with ExitStack() as faults:
        for node in NODES:
            rule = f"ip daddr {VIP} tcp dport 80 drop"
            faults.enter_context(nft_chain(bench.node(node), "filter hook prerouting priority -300", rule))
        move_until_seen(bench)
        bench.fails("G26", r"2 pods: \d+ requests failed after convergence.*")
    bench.do("G26")
    bench.holds("G26")


def move_until_seen(bench: Bench) -> None:
    """The step watches for 0.5 s after a change, a connection waits for 1 s: a single move can miss the fault."""
    for _ in range(5):
        bench.do("G26")
        if bench.judge("G26").verdict is Verdict.FAILS:
            return
