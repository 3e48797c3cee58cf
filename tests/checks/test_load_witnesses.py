"""G30 with everybody who saw the load test: literals in, verdicts out."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from typing import get_type_hints

import pytest
from right_world import World, load_from, probe_of, right_world

from bgplab.checks.expected import Expected
from bgplab.checks.finding import Finding, Verdict
from bgplab.checks.load_evidence import LOADS, LoadEvidence
from bgplab.observe.load import Load, LoadRuns
from bgplab.observe.witnesses import Corroboration, HashKey
from bgplab.spec.loading import load_lab
from bgplab.traffic.hash_prediction import Flow, multipath_hash, next_hop_index

GUIDE = load_lab("guide")
(ROUTER,) = GUIDE.routers
SOURCE, VIP = str(ROUTER.addresses[0]), IPv4Address("172.16.1.1")
NODES = {node.name: node.address for node in GUIDE.cluster.nodes}
SEED = 4242


@pytest.fixture(scope="module")
def world() -> World:
    return right_world(GUIDE, "G28")


def test_what_is_collected_for_a_load_test_is_what_its_evidence_is_made_of() -> None:
    assert tuple(get_type_hints(LoadEvidence).values()) == (*LOADS, Expected)


def judge(world: World, load: Load) -> Finding:
    runs = world.seen[LoadRuns]
    return world.but(LoadRuns(runs.vip, {ROUTER.name: load})).judge("G30")


def reached(world: World, count: int = 200) -> list[str]:
    """The node of each connection from port 20000 on, by the hash and the world's own route."""
    from bgplab.observe.kernel_routes import RouterRoutes

    route = world.seen[RouterRoutes].by_router[ROUTER.name].to(world.expected.vip_prefix)
    names = {address: name for name, address in NODES.items()}
    hops = [names[hop.via] for hop in route.next_hops]

    def node(port: int) -> str:
        return hops[
            next_hop_index(multipath_hash(Flow(IPv4Address(SOURCE), port, VIP, 80), SEED, 0x37), [1] * len(hops))
        ]

    return [node(20000 + number) for number in range(count)]


def load(world: World, *, seed: int | None = SEED, counted: dict[str, int | None] | None = None) -> Load:
    """All witnesses agree, if `counted` does not say otherwise."""
    large = load_from(GUIDE, ROUTER, even=True, connections=6000)
    fixed = probe_of(ROUTER, reached(world))
    ways = {(SOURCE, 20000 + number): NODES[node] for number, node in enumerate(reached(world))}
    seen = Corroboration(counted if counted is not None else dict.fromkeys(NODES, 2000), ways)
    return replace(large, seen=seen, hash_key=HashKey(seed, 7), fixed=fixed, again=fixed if seed else None)


def test_everybody_agrees(world: World) -> None:
    finding = judge(world, load(world))
    assert finding.verdict is Verdict.HOLDS, finding.reason
    assert "foretells 200 of 200 connections; 200 connections repeated one by one" in finding.reason
    assert (finding.figures["foretold_share"], finding.figures["repeated_share"]) == (1.0, 1.0)


@pytest.mark.parametrize(("seed", "why"), [(0, "its seed is random"), (None, "this kernel has no seed to set")])
def test_without_a_seed_repetition_is_absent_and_says_why(world: World, seed: int | None, why: str) -> None:
    finding = judge(world, load(world, seed=seed))
    assert finding.verdict is Verdict.HOLDS, finding.reason
    assert f"absent: repetition of the hash ({why})" in finding.reason


def test_a_lab_without_counters_holds_and_names_the_absent_witness(world: World) -> None:
    """As with real Cilium."""
    finding = judge(world, load(world, counted=dict.fromkeys(NODES)))
    assert finding.verdict is Verdict.HOLDS, finding.reason
    assert "absent: nodes' counters" in finding.reason


def test_a_node_that_counted_otherwise_is_named(world: World) -> None:
    finding = judge(world, load(world, counted={**dict.fromkeys(NODES, 2000), "k8s-w1": 1990}))
    assert finding.verdict is Verdict.FAILS
    assert finding.reason == "router: k8s-w1's counter says 1990 connections, the client's records say 2000"


def test_somebody_else_at_the_address_leaves_it_open_and_says_so(world: World) -> None:
    finding = judge(world, load(world, counted={**dict.fromkeys(NODES, 2000), "k8s-w1": 2007}))
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert finding.reason.startswith("router: others' connections were seen: 7 (k8s-w1 7)")


def test_a_kernel_that_sends_a_flow_elsewhere_is_named(world: World) -> None:
    agreed = load(world)
    assert agreed.seen is not None
    flow, via = next(iter(agreed.seen.ways.items()))
    other = next(address for address in NODES.values() if address != via)
    finding = judge(world, replace(agreed, seen=replace(agreed.seen, ways={**agreed.seen.ways, flow: other})))
    assert finding.verdict is Verdict.FAILS
    assert "the router's kernel sends 1 of 200 connections elsewhere" in finding.reason


def test_a_second_run_that_went_otherwise_is_named(world: World) -> None:
    moved = [next(name for name in NODES if name != reached(world)[0]), *reached(world)[1:]]
    finding = judge(world, replace(load(world), again=probe_of(ROUTER, moved)))
    assert finding.verdict is Verdict.FAILS
    assert "1 of 200 repeated connections took another node" in finding.reason
