"""The flow log on real packets of real pods."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import Cluster
from datapath_world import BOTH, CLIENT, CLUSTER_IP, NODE_A, NODE_B, VIP, WEB_A, WEB_B, World, ask, wait_for
from test_flows_hubble import PODS, node

from bgplab.backends.embedded.agents.flows import FlowLog
from bgplab.backends.embedded.agents.flows.log import LOGGED_AT_ONCE, RING_SIZE
from bgplab.lab.cluster import NODE, POD

ONLY_B = BOTH[1:]


@pytest.fixture
def flows(world: World, cluster: Cluster, stop: threading.Event) -> Iterator[FlowLog]:
    cluster.informers.of(POD).put(*PODS)
    cluster.informers.of(NODE).put(node("a", NODE_A), node("b", NODE_B))
    log = FlowLog(cluster.informers, stop)  # type: ignore[arg-type]
    for host in (world.a, world.b):
        log.watch(host.name, host)
    yield log
    for host in (world.a, world.b):
        log.remove(host.name)
        host.run(["nft", "delete", "table", "ip", "bgplab_flows"])


def seen(log: FlowLog, name: str, *arguments: str) -> list[dict[str, Any]]:
    status, out, err = log.observe(name, ["hubble", "observe", "-o", "json", "--all", *arguments])
    assert (status, err) == (0, "")
    return [json.loads(line)["flow"] for line in out.splitlines()]


def steps(flows: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """(from, to, flags) of each flow."""
    return [(one["IP"]["source"], one["IP"]["destination"], one["Summary"].split(": ")[1]) for one in flows]


@pytest.mark.parametrize("name", ["a", "b"])
def test_a_request_by_the_service_is_pod_to_pod_on_both_nodes(
    world: World, cluster: Cluster, flows: FlowLog, name: str
) -> None:
    cluster.serve(*ONLY_B)
    ask(world.client, CLUSTER_IP)
    wait_for(lambda: len(seen(flows, name)) >= 6, "SYN, SYN-ACK, request, response and two FINs")
    logged = seen(flows, name, "--pod", "curl-pod")
    assert steps(logged)[:3] == [(CLIENT, WEB_B, "SYN"), (WEB_B, CLIENT, "SYN, ACK"), (CLIENT, WEB_B, "ACK, PSH")]
    assert {source for source, _, flags in steps(logged) if "FIN" in flags} == {CLIENT, WEB_B}
    assert {one["verdict"] for one in logged} == {"FORWARDED"}
    assert [one["is_reply"] for one in logged[:3]] == [False, True, False]
    assert {one["source"].get("pod_name") for one in logged} == {"curl-pod", "webpod-b"}


def test_a_client_from_outside_is_seen_as_the_world(world: World, cluster: Cluster, flows: FlowLog) -> None:
    cluster.serve(*BOTH, externalTrafficPolicy="Local")
    ask(world.router, VIP)
    wait_for(lambda: seen(flows, "a"), "flows of the pod")
    assert seen(flows, "a")[0]["source"] == {"identity": 2, "labels": ["reserved:world"]}
    assert steps(seen(flows, "a"))[0][1] == WEB_A


def test_the_node_itself_is_seen_as_the_host(world: World, cluster: Cluster, flows: FlowLog) -> None:
    ask(world.a, WEB_A)
    wait_for(lambda: len(seen(flows, "a")) >= 4, "both directions")
    assert {step[:2] for step in steps(seen(flows, "a"))} == {("172.20.0.1", WEB_A), (WEB_A, "172.20.0.1")}


def test_moments_are_the_packets_own(world: World, cluster: Cluster, flows: FlowLog) -> None:
    before = time.time()
    ask(world.client, WEB_A)
    after = time.time()
    wait_for(lambda: len(seen(flows, "a")) >= 6, "a whole connection")
    moments = [flow.seconds for flow in flows.flows("a")]
    assert moments == sorted(moments)
    assert before - 0.01 <= moments[0] and moments[-1] <= after + 0.2


def test_a_flood_is_cut_in_the_kernel_and_told(world: World, cluster: Cluster, flows: FlowLog) -> None:
    started = time.monotonic()
    for _ in range(LOGGED_AT_ONCE // 4):
        ask(world.client, WEB_A)
    seconds = time.monotonic() - started
    wait_for(lambda: flows.lost("a") > 0, "lost packets are counted")
    assert len(flows.flows("a")) <= min(RING_SIZE, LOGGED_AT_ONCE + 500 * (seconds + 1))
    status, _, err = flows.observe("a", ["hubble", "observe"])
    assert (status, err.startswith("EVENTS LOST: ")) == (0, True)
    told = json.loads(flows.observe("a", ["hubble", "observe", "-o", "json"])[1].splitlines()[-1])
    assert (told["node_name"], int(told["lost_events"]["num_events_lost"]) > 0) == ("a", True)


def test_status_and_other_commands(world: World, flows: FlowLog) -> None:
    assert "Current/Max Flows: 0/4,095 (0.00%)" in flows.observe("a", ["hubble", "status"])[1]
    for argv in (["hubble", "observe", "-f"], ["hubble", "record"], ["hubble"]):
        status, out, err = flows.observe("a", argv)
        assert (status, out, err.startswith("Error: ")) == (1, "", True)
    assert flows.observe("nowhere", ["hubble", "status"])[0] == 1
