"""Checks on labs unlike the guide's: what holds there, and what they rightly do not ask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from right_world import World, load_from, right_world, time_out

from bgplab.checks.finding import Verdict
from bgplab.observe.endpoint_slices import Endpoints
from bgplab.observe.flows import FlowRecords
from bgplab.observe.frr_bgp import Neighbors
from bgplab.observe.frr_service import FrrLogs
from bgplab.observe.http import PodRequests
from bgplab.observe.lb_pools import Pools
from bgplab.observe.load import LoadRuns
from bgplab.observe.pod_move import Move, PodsMoved
from bgplab.observe.witnesses import HashKey
from bgplab.spec.loading import load_lab

W1 = "k8s-w1"


def guide(stage: str, **overrides: str) -> World:
    return right_world(load_lab("guide", {key.replace("__", "."): value for key, value in overrides.items()}), stage)


def test_a_node_without_graceful_restart_owes_no_end_of_rib() -> None:
    world = right_world(load_lab("guide", {"clusters[0].bgp.graceful_restart.enabled": "false"}), "G11")
    silent = {
        router: tuple(replace(peer, end_of_rib=False) for peer in peers)
        for router, peers in world.seen[Neighbors].by_router.items()
    }
    logs = {router: replace(log, end_of_rib=frozenset()) for router, log in world.seen[FrrLogs].by_router.items()}
    assert world.but(Neighbors(silent), FrrLogs(logs)).judge("G11").verdict is Verdict.HOLDS


def test_a_sole_node_receives_what_it_announces_too() -> None:
    world = right_world(load_lab("scale", {"clusters[0].nodes.count": "1"}), "G11")
    finding = world.judge("G12")
    assert (finding.verdict, finding.figures["received"]) == (Verdict.HOLDS, 2)


def test_addresses_that_a_users_services_hold_are_no_fault_of_the_pool() -> None:
    world = guide("G18")
    cluster = world.spec.cluster.model_copy(update={"workloads": ("/their/own.yaml",)})
    theirs = World(world.spec.model_copy(update={"clusters": (cluster,)}), world.stage, world.seen)
    fewer = Pools(tuple(replace(pool, available=(pool.available or 0) - 1) for pool in world.seen[Pools].pools))
    assert theirs.but(fewer).judge("G18").verdict is Verdict.HOLDS
    assert world.but(fewer).judge("G18").verdict is Verdict.FAILS


@pytest.mark.parametrize("id", ["G04", "G05"])
def test_without_a_pod_in_the_clients_subnet_nobody_can_answer_yet(id: str) -> None:
    world = guide("G03")
    far = Endpoints(tuple(one for one in world.seen[Endpoints].endpoints if one.node == "k8s-w0"))
    finding = world.but(far, PodRequests("curl-pod", (time_out(),) * 60, {})).judge(id)
    assert finding.verdict is Verdict.SKIPPED and "no pod of webpod runs in the client's subnet" in finding.reason


def test_once_routes_are_there_a_client_that_nobody_answers_is_told_as_such() -> None:
    world = guide("G15")
    far = Endpoints(tuple(one for one in world.seen[Endpoints].endpoints if one.node == "k8s-w0"))
    finding = world.but(far, PodRequests("curl-pod", (time_out(),) * 60, {})).judge("G05")
    assert (finding.verdict, finding.reason) == (Verdict.INCONCLUSIVE, "nobody answered")


def test_a_pod_that_comes_back_elsewhere_is_told_as_such() -> None:
    world = guide("G24")
    seen = world.seen[PodsMoved]
    elsewhere = replace(seen, before=("k8s-ctr", W1), moves=tuple(map(_without("k8s-w0", "k8s-ctr"), seen.moves)))
    finding = world.but(elsewhere).judge("G26")
    assert finding.verdict is Verdict.HOLDS, finding.reason
    assert "k8s-w1 withdrew the address and k8s-w0 announced it instead" in finding.reason


def _without(gained: str, kept: str) -> Callable[[Move], Move]:
    def change(move: Move) -> Move:
        serving = (kept,) if move.replicas == 2 else (kept, gained)
        return replace(move, serving=serving, announcing=serving)

    return change


def test_a_pod_on_a_node_without_bgp_is_announced_by_nobody() -> None:
    world = right_world(load_lab("guide", {"clusters[0].nodes[1].bgp": "false"}), "G24")
    seen = world.seen[PodsMoved]
    with_a_silent_one = replace(seen, moves=tuple(replace(m, serving=(*m.serving, W1)) for m in seen.moves))
    finding = world.but(with_a_silent_one).judge("G26")
    assert finding.verdict is Verdict.HOLDS, finding.reason


@pytest.mark.parametrize(("fields", "verdict"), [(0x37, Verdict.HOLDS), (0x07, Verdict.FAILS)])
def test_policy_3_without_ports_is_no_even_spread(fields: int, verdict: Verdict) -> None:
    world = right_world(load_lab("guide", {"ecmp.hash_policy": "3"}), "G28")
    runs = world.seen[LoadRuns]
    (load,) = runs.by_router.values()
    if fields == 0x07:  # as the kernel then does it
        load = replace(load, large=load_from(world.spec, world.spec.routers[0], even=False).large)
    seen = replace(runs, by_router={"router": replace(load, hash_key=HashKey(0, fields))})
    finding = world.but(seen).judge("G29")
    assert finding.verdict is verdict, finding.reason
    assert ("hashes no port" in finding.reason) is (verdict is Verdict.FAILS)


def test_one_way_is_nothing_to_spread_over_however_few_the_requests() -> None:
    world = right_world(load_lab("scale", {"clusters[0].nodes.count": "1"}), "G28")
    (load,) = world.seen[LoadRuns].by_router.values()
    few = LoadRuns(world.seen[LoadRuns].vip, {"router": replace(load, large=load.small)})
    finding = world.but(few).judge("G29")
    assert finding.verdict is Verdict.SKIPPED and "nothing to spread over" in finding.reason


def without_ends(seen: FlowRecords) -> FlowRecords:
    return replace(seen, flows=tuple(flow for flow in seen.flows if "FIN" not in flow.flags))


def test_a_record_that_may_have_been_lost_is_no_failure() -> None:
    world = guide("G15")
    fewer = without_ends(world.seen[FlowRecords])
    assert world.but(fewer).judge("G17").verdict is Verdict.FAILS
    finding = world.but(replace(fewer, lost=12, lost_before=2)).judge("G17")
    assert finding.verdict is Verdict.INCONCLUSIVE and finding.reason.startswith("the node lost 10 events; ")
    assert world.but(replace(fewer, lost=12, lost_before=12)).judge("G17").verdict is Verdict.FAILS
    assert world.but(replace(world.seen[FlowRecords], lost=12)).judge("G17").verdict is Verdict.HOLDS


def test_a_dropped_record_fails_whatever_else_was_lost() -> None:
    world = guide("G15")
    dropped = tuple(replace(flow, verdict="DROPPED") for flow in world.seen[FlowRecords].flows)
    assert world.but(FlowRecords(dropped, lost=12)).judge("G17").verdict is Verdict.FAILS
