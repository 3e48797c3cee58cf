"""Events under traffic in a real lab in which one thing is not as described: the right check says so."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fault_bench import Bench
from lab_faults import typed

from bgplab import judge
from bgplab.backends.embedded import launch
from bgplab.backends.embedded.hosts.userland import is_ready, userland_directory
from bgplab.checks.finding import Verdict
from bgplab.judge.failover import FAILOVER
from bgplab.lab import directory as labs
from bgplab.lab.cluster import BGP_CLUSTER_CONFIG, BGP_PEER_CONFIG
from bgplab.lab.opening import open_lab
from bgplab.lab.waiting import Deadline, wait_until
from bgplab.observe.frr_bgp import read_summaries
from bgplab.results.record import CheckResult
from bgplab.spec.loading import load_lab
from bgplab.steps.failover.all import EVENTS

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("faults-events")]

PEERS = 3


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    yield from at_its_last_step("guide")


@pytest.fixture(scope="module")
def two_routers() -> Iterator[Bench]:
    yield from at_its_last_step("two-routers")


def at_its_last_step(lab: str) -> Iterator[Bench]:
    if not is_ready(userland_directory()):
        pytest.skip("the hosts' userland is not in the cache: run `make setup`")
    spec, name = load_lab(lab), f"faults-events-{lab}-{os.getpid()}"
    started = launch.up(spec, name, holder="tests/faults")
    try:
        access = labs.access_to(started.record)
        found = Bench(access, open_lab(access), spec, stage="E01")
        make(found, "E02")
        yield found
    finally:
        started.lease.release()
        launch.down(name)


def make(bench: Bench, step: str) -> None:
    for observation in EVENTS[step].do(bench.lab, bench.spec, Deadline.after(30.0)).evidence:
        bench.context.keep(observation)


def judged(bench: Bench, id: str) -> CheckResult:
    (result,) = judge.run(bench.lab, bench.spec, [id], "E16", bench.context, course=FAILOVER, patience_seconds=0.0)
    print(f"{id} {result.verdict.value}: {result.reason}")
    return result


def fails(bench: Bench, id: str, reason: str) -> None:
    result = judged(bench, id)
    assert result.verdict is Verdict.FAILS, result.reason
    assert re.search(reason, result.reason), result.reason


@contextmanager
def peer_config(bench: Bench, wrong: dict[str, Any], right: dict[str, Any]) -> Iterator[None]:
    """Both changes reset every session, which then idles for 5 s and dials."""
    for number, spec in enumerate((wrong, right)):
        before = sessions(bench)
        bench.cluster.patch(BGP_PEER_CONFIG, bench.spec.cluster.bgp.peer_config, {"spec": spec})
        wait_until(
            lambda before=before: sessions(bench),
            holds=lambda now, before=before: len(now) == PEERS and all(now[peer] > before[peer] for peer in now),
            within=Deadline.after(60.0),
            what="every session anew",
        )
        if number == 0:
            try:
                yield
            except BaseException:
                bench.cluster.patch(BGP_PEER_CONFIG, bench.spec.cluster.bgp.peer_config, {"spec": right})
                raise


def sessions(bench: Bench) -> dict[Any, int]:
    peers = read_summaries({"router": bench.router}).by_router["router"].peers
    return {peer.address: peer.established for peer in peers if peer.state == "Established"}


def test_e02_says_that_one_node_has_all_of_a_clients_connections(bench: Bench) -> None:
    policy = "sysctl -q -w net.ipv4.fib_multipath_hash_policy"
    with typed(bench.router, f"{policy}=0", f"{policy}=1"):
        fails(bench, "E02", "^router: hash policy 0 sends one client to one node$")
    assert judged(bench, "E02").verdict is Verdict.HOLDS


def test_e07_says_what_an_agents_restart_costs_without_graceful_restart(bench: Bench) -> None:
    off, on = ({"gracefulRestart": {"enabled": enabled}} for enabled in (False, True))
    with peer_config(bench, off, on):
        make(bench, "E07")
        fails(
            bench,
            "E07",
            r"the kernel's route changed \d+ times; k8s-ctr, k8s-w0, k8s-w1 left it meanwhile;"
            r" \d+ of \d+ connections failed \(.*\), expected none",
        )
        make(bench, "E05")
        fails(bench, "E05", r"the path left the kernel after 0\.\d+ s, before the restart time of 15 s was over")
    make(bench, "E07")
    for id in ("E07", "E08"):
        result = judged(bench, id)
        assert result.verdict is Verdict.HOLDS, result.reason


def test_e13_says_that_a_node_without_the_label_goes_on_announcing(bench: Bench) -> None:
    name, label = bench.spec.cluster.bgp.cluster_config, bench.spec.cluster.bgp.node_label
    everybody = {"spec": {"nodeSelector": {"matchLabels": {label: None, "kubernetes.io/os": "linux"}}}}
    labelled = {"spec": {"nodeSelector": {"matchLabels": {label: "true", "kubernetes.io/os": None}}}}
    bench.cluster.patch(BGP_CLUSTER_CONFIG, name, everybody)
    try:
        make(bench, "E13")
    finally:
        bench.cluster.patch(BGP_CLUSTER_CONFIG, name, labelled)
    fails(bench, "E13", "next hops to 172.16.1.1/32 are .*192.168.10.101.*, expected 192.168.10.100, 192.168.20.100")
    fails(bench, "E14", "no session of k8s-w1 came up")


def test_e15_says_that_a_route_left_behind_still_takes_connections(bench: Bench) -> None:
    left = "ip route add 172.16.1.1/32 via 192.168.10.100 table 100; ip rule add to 172.16.1.1 lookup 100"
    with typed(bench.router, left, "ip rule del to 172.16.1.1 lookup 100; ip route flush table 100"):
        make(bench, "E15")
    fails(bench, "E15", r"[1-9]\d* of \d+ connections succeeded while the kernel had no route")


def test_e15_says_of_the_second_router_alone_that_it_still_takes_connections(two_routers: Bench) -> None:
    """The first router sees nothing of it: watched from there alone, the event would hold."""
    left = "ip route add 172.16.1.1/32 via 192.168.10.100 table 100; ip rule add to 172.16.1.1 lookup 100"
    undo = "ip rule del to 172.16.1.1 lookup 100; ip route flush table 100"
    with typed(two_routers.lab.hosts["router-b"], left, undo):
        make(two_routers, "E15")
    fails(
        two_routers,
        "E15",
        r"deleted: router-b: [1-9]\d* of \d+ connections succeeded while the kernel had no route$",
    )


@pytest.mark.slow
def test_e09_says_that_the_hold_time_is_longer_than_described(bench: Bench) -> None:
    longer, described = ({"timers": {"holdTimeSeconds": hold, "keepAliveTimeSeconds": hold // 3}} for hold in (30, 9))
    with peer_config(bench, longer, described):
        make(bench, "E09")
        fails(bench, "E09", "next hops to 172.16.1.1/32 are .*192.168.10.101.*, expected 192.168.10.100, 192.168.20")
