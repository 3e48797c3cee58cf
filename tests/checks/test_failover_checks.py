"""Every check of an event under traffic holds when all went as it must, and says what did not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from failover_events import (
    ALL,
    CTR,
    EVENT,
    OTHERS,
    SECOND,
    W0,
    W1,
    an_event,
    both,
    failing,
    judged,
    with_back,
)
from right_world import right_world

from bgplab.checks.all import all_checks
from bgplab.checks.expected import Expected
from bgplab.checks.finding import Verdict
from bgplab.checks.stages import number
from bgplab.observe.kernel_routes import RouterRoutes, RouteTable
from bgplab.observe.sysctl import HashPolicies
from bgplab.observe.traffic_events import (
    AgentKilled,
    AgentsRestarted,
    AtRouter,
    LabelRemoved,
    LinkDown,
    PodScaledAway,
    RouteWithdrawn,
    SessionShut,
    UnderTraffic,
)
from bgplab.spec.loading import load_lab


def pod(**other: Any) -> PodScaledAway:
    usual: dict[str, Any] = {"undone_after": 2, "ends_after": 5, "hops": {0.15: OTHERS, 3.0: ALL}}
    return an_event(PodScaledAway, **usual | {"outcome": failing((0.0, 0.15), of=3)} | other)


def killed(**other: Any) -> AgentKilled:
    usual: dict[str, Any] = {"undone_after": 17, "ends_after": 21, "hops": {15.2: OTHERS, 18.8: ALL}}
    log = [(0.01, "session_down", W1), (18.7, "session_up", W1)]
    return an_event(AgentKilled, **usual | {"log": log} | other)


RESTART_LOG = [(0.1, "session_down", peer) for peer in sorted(ALL)]
RESTART_LOG += [(1.9, "session_up", W0), (1.95, "end_of_rib", W0)]  # before the last pod is ready
RESTART_LOG += [(2.1, "session_up", CTR), (2.2, "end_of_rib", CTR), (2.3, "session_up", W1), (2.4, "end_of_rib", W1)]


def restarted(**other: Any) -> AgentsRestarted:
    usual: dict[str, Any] = {"undone_after": 2, "ends_after": 5, "hops": {}, "due": ALL, "log": RESTART_LOG}
    return an_event(AgentsRestarted, **usual | {"nodes": ("k8s-ctr", "k8s-w1", "k8s-w0")} | other)


def link(**other: Any) -> LinkDown:
    usual: dict[str, Any] = {"undone_after": 26, "ends_after": 33, "hops": {23.9: OTHERS, 31.1: ALL}}
    usual |= {"log": [(9.0, "session_down", W1), (31.0, "session_up", W1)], "outcome": failing((0.0, 23.9), of=3)}
    return with_back(
        an_event(LinkDown, **usual | other), note="k8s-w1's agent was restarted", noted_ns=EVENT + 29 * SECOND
    )


def shut(**other: Any) -> SessionShut:
    usual: dict[str, Any] = {"undone_after": 2, "ends_after": 10, "hops": {0.1: OTHERS, 7.1: ALL}}
    return an_event(SessionShut, **usual | {"log": [(0.05, "session_down", W1), (7.0, "session_up", W1)]} | other)


def label(**other: Any) -> LabelRemoved:
    usual: dict[str, Any] = {"undone_after": 2, "ends_after": 6, "hops": {0.1: OTHERS, 3.8: ALL}}
    return an_event(LabelRemoved, **usual | {"log": [(0.05, "session_down", W1), (3.7, "session_up", W1)]} | other)


def withdrawn(**other: Any) -> RouteWithdrawn:
    usual: dict[str, Any] = {"undone_after": 2, "ends_after": 5, "hops": {0.1: frozenset(), 2.1: ALL}}
    usual |= {"due": frozenset(), "nodes": (), "outcome": failing((0.1, 2.1), error="unreachable")}
    return an_event(RouteWithdrawn, **usual | other)


RIGHT = {
    "E03": pod(),
    "E04": pod(),
    "E05": killed(),
    "E06": killed(),
    "E07": restarted(),
    "E08": restarted(),
    "E09": link(),
    "E10": link(),
    "E11": shut(),
    "E12": shut(),
    "E13": label(),
    "E14": label(),
    "E15": withdrawn(),
    "E16": withdrawn(),
}

#: What went wrong, and what is said of it. Session and kernel times are seconds after the event.
WRONG: list[tuple[str, UnderTraffic, str]] = [
    ("E03", pod(hops={1.4: OTHERS, 3.0: ALL}), "its next hops after 1.40 s, expected 1 s"),
    ("E03", pod(hops={3.0: ALL}), "next hops to 172.16.1.1/32 are 192.168.10.100, 192.168.10.101, 192.168.20.100"),
    ("E03", pod(outcome=failing((0.0, 1.5), of=3)), "connections failed for 1.4"),
    ("E04", pod(hops={0.15: OTHERS}), "next hops to 172.16.1.1/32 are 192.168.10.100, 192.168.20.100"),
    ("E04", pod(outcome=failing((3.0, 4.5), of=3)), "connections failed for 1.4"),
    ("E04", pod(outcome=failing((3.0, 9.0))), "connections still failed at the end"),
    ("E05", killed(hops={0.05: OTHERS, 18.8: ALL}), "left the kernel after 0.05 s, before the restart time of 15 s"),
    ("E05", killed(hops={17.5: OTHERS, 18.8: ALL}, undone_after=18), "its next hops after 17.50 s, expected 17 s"),
    ("E05", killed(hops={}), "expected 192.168.10.100, 192.168.20.100"),
    ("E05", killed(outcome=failing((3.0, 3.2))), "failed 3.00 s after it, while the path was still kept"),
    ("E05", killed(outcome=failing((15.1, 16.7), of=3)), "connections failed for 1.5"),
    ("E06", killed(log=[(0.01, "session_down", W1)]), "no session of k8s-w1 came up"),
    ("E06", killed(hops={15.2: OTHERS}), "expected 192.168.10.100, 192.168.10.101, 192.168.20.100"),
    ("E06", killed(outcome=failing((18.8, 20.0))), "connections failed for 1.20 s"),
    (
        "E07",
        restarted(outcome=failing((0.1, 1.5))),
        "140 of 290 connections failed (140 timeout_con",
    ),
    ("E07", restarted(hops={0.1: frozenset(), 1.9: ALL}), "k8s-ctr, k8s-w0, k8s-w1 left it meanwhile"),
    ("E07", restarted(hops={0.1: OTHERS, 1.9: ALL}), "changed 1 times; k8s-w1 left it meanwhile"),
    ("E08", restarted(log=RESTART_LOG[:-2]), "no session of k8s-w1 came; no End-of-RIB of k8s-w1 came"),
    ("E08", restarted(log=RESTART_LOG[:-1]), "no End-of-RIB of k8s-w1 came"),
    (
        "E08",
        restarted(log=[*RESTART_LOG[:-2], (16.0, "session_up", W1), (16.1, "end_of_rib", W1)], ends_after=18),
        "k8s-w1: session 15.90 s after its session's end, expected 15 s",
    ),
    ("E08", restarted(hops={2.2: OTHERS, 2.4: ALL}), "k8s-w1 left it meanwhile"),
    ("E08", restarted(outcome=failing((2.3, 2.4))), "connections failed"),
    ("E09", link(hops={31.1: ALL}), "expected 192.168.10.100, 192.168.20.100"),
    (
        "E09",
        link(hops={28.0: OTHERS, 31.1: ALL}, undone_after=29, outcome=failing((0.0, 28.0), of=3)),
        "its next hops after 28.00 s, expected 26 s; connections failed for 28.0",
    ),
    ("E10", link(log=[(9.0, "session_down", W1)]), "no session of k8s-w1 came up"),
    ("E10", link(hops={23.9: OTHERS}), "expected 192.168.10.100, 192.168.10.101, 192.168.20.100"),
    ("E10", link(outcome=failing((0.0, 23.9), (31.0, 32.5), of=3)), "connections failed for 1.4"),
    ("E11", shut(hops={1.2: OTHERS, 7.1: ALL}), "its next hops after 1.20 s"),
    ("E11", shut(outcome=failing((0.0, 1.3), of=3)), "connections failed for"),
    ("E12", shut(log=[(0.05, "session_down", W1), (13.0, "session_up", W1)], ends_after=15), "{'k8s-w1': 11.0} s"),
    ("E12", shut(log=[(0.05, "session_down", W1)]), "no session of k8s-w1 came up"),
    ("E13", label(hops={1.2: OTHERS, 3.8: ALL}), "its next hops after 1.20 s"),
    ("E13", label(outcome=failing((0.0, 1.3), of=3)), "connections failed for"),
    ("E14", label(log=[(7.5, "session_up", W1)], hops={0.1: OTHERS, 7.6: ALL}, ends_after=9), "{'k8s-w1': 5.5} s"),
    ("E14", label(hops={0.1: OTHERS}), "expected 192.168.10.100, 192.168.10.101, 192.168.20.100"),
    ("E15", withdrawn(hops={1.5: frozenset(), 2.1: ALL}), "its next hops after 1.50 s"),
    ("E15", withdrawn(hops={2.1: ALL}), "expected none"),
    ("E15", withdrawn(outcome=failing((0.1, 1.0))), "connections succeeded while the kernel had no route"),
    ("E16", withdrawn(hops={0.1: frozenset(), 3.5: ALL}), "its next hops after 1.50 s"),
    ("E16", withdrawn(outcome=failing((0.1, 3.5))), "connections failed until 1.50 s after it"),
    ("E16", withdrawn(outcome=failing((0.1, 9.0))), "connections still failed at the end"),
]


@pytest.mark.parametrize("id", RIGHT)
def test_an_event_that_went_as_it_must_holds(id: str) -> None:
    finding = judged(id, RIGHT[id])
    assert finding.verdict is Verdict.HOLDS, finding.reason
    assert "connections failed" in finding.reason


@pytest.mark.parametrize(("id", "seen", "said"), WRONG)
def test_what_went_wrong_is_named(id: str, seen: UnderTraffic, said: str) -> None:
    finding = judged(id, seen)
    assert finding.verdict is Verdict.FAILS, finding.reason
    assert said in finding.reason


def test_every_check_of_an_event_has_a_case_in_which_it_fails() -> None:
    assert {id for id, _, _ in WRONG} | {"E01", "E02"} == set(all_checks("E"))


def test_a_way_back_is_judged_with_its_event() -> None:
    for id, check in all_checks("E").items():
        assert check.holds_from == (id if number(id) % 2 or number(id) == 2 else f"E{number(id) - 1:02d}")


# what cannot be told -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id", RIGHT)
def test_a_prober_that_paused_cannot_tell(id: str) -> None:
    (seen,) = RIGHT[id].at
    paused = replace(seen, probe=_thinned(seen, every=60))
    finding = judged(id, type(RIGHT[id])((paused,)))
    assert finding.verdict is not Verdict.HOLDS, finding.reason
    assert "paused" in finding.reason or finding.verdict is Verdict.INCONCLUSIVE


def _thinned(seen: AtRouter, every: int) -> Any:
    columns = {name: list(values)[::every] for name, values in seen.probe.columns.items()}
    return replace(seen.probe, columns=columns)


@pytest.mark.parametrize(
    ("id", "seen", "said"),
    [
        ("E11", shut(begins=0.1), "no connection was opened before the event"),
        ("E11", shut(outcome=failing((-0.8, -0.7))), "10 connections failed before the event"),
        ("E07", restarted(log=[]), "FRR logged no end of the session of k8s-ctr, k8s-w0, k8s-w1"),
        ("E09", link(outcome=failing()), "no connection failed: did the node have a share"),
        ("E03", pod(due=ALL, hops={}), "no node lost its only pod"),
    ],
)
def test_what_cannot_be_told_is_said_to_be_so(id: str, seen: UnderTraffic, said: str) -> None:
    finding = judged(id, seen)
    assert finding.verdict is Verdict.INCONCLUSIVE, finding.reason
    assert said in finding.reason


def test_a_connection_open_when_it_is_undone_is_the_way_backs() -> None:
    seen = shut(outcome=failing((1.96, 2.05), error="reset"))
    assert judged("E11", seen).figures["lost"] == 0
    assert judged("E12", seen).figures["lost"] == 9


def test_the_way_back_says_why_it_took_so_long() -> None:
    assert "had dialled in vain and would have waited for its retry, 120 to 240 s" in judged("E10", link()).reason
    waited = with_back(link(), note="", noted_ns=None)
    assert "a dial that failed while the link was down waits for its retry" in judged("E10", waited).reason


def test_without_graceful_restart_a_killed_agent_is_given_up_at_once() -> None:
    spec = load_lab("guide", {"clusters[0].bgp.graceful_restart.enabled": "false"})
    seen = killed(hops={0.05: OTHERS, 18.8: ALL})
    finding = all_checks("E")["E05"].judge(seen, Expected(spec, "E05"))
    assert finding.verdict is Verdict.HOLDS, finding.reason


# several routers -----------------------------------------------------------------------------------------------------


def test_what_only_the_second_router_saw_fails_the_event_and_names_it() -> None:
    """Watched from the first router alone, these would hold."""
    late = label(router="router-b", hops={1.2: OTHERS, 3.8: ALL})
    finding = judged("E13", both(label(router="router-a"), late))
    assert finding.verdict is Verdict.FAILS
    assert finding.reason == "the event: router-b: the kernel had its next hops after 1.20 s, expected 1 s"
    lossy = restarted(router="router-b", outcome=failing((0.1, 0.2)))
    assert "router-b: 11 of 290 connections failed" in judged("E07", both(restarted(router="router-a"), lossy)).reason


def test_every_router_is_told_of_when_all_is_well() -> None:
    finding = judged("E13", both(label(router="router-a"), label(router="router-b")))
    assert finding.verdict is Verdict.HOLDS
    assert "router-a: 0 of" in finding.reason and "router-b: 0 of" in finding.reason
    assert {"router-a_lost", "router-b_lost"} <= finding.figures.keys()


def test_a_router_that_could_not_tell_leaves_the_event_open() -> None:
    unwatched = label(router="router-b", begins=0.1)
    finding = judged("E13", both(label(router="router-a"), unwatched))
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert "router-b: no connection was opened before the event" in finding.reason


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"hops": {0.1: OTHERS, 7.1: ALL}}, "the kernel's route changed 1 times; k8s-w1 left it meanwhile"),
        ({"hops": {}, "outcome": failing((0.1, 0.2))}, "11 of 290 connections failed"),
    ],
)
def test_a_session_shut_at_one_router_must_not_be_noticed_at_another(other: dict[str, Any], said: str) -> None:
    spared: dict[str, Any] = {"router": "router-b", "nodes": (), "due": ALL, "hops": {}, "log": [], "spared": True}
    well = both(shut(router="router-a"), shut(**spared))
    assert [judged(id, well).verdict for id in ("E11", "E12")] == [Verdict.HOLDS, Verdict.HOLDS]
    finding = judged("E11", both(shut(router="router-a"), shut(**spared | other)))
    assert finding.verdict is Verdict.FAILS
    assert f"router-b: {said}" in finding.reason


def test_a_second_router_without_the_route_is_no_ground_for_events() -> None:
    spec = load_lab("two-routers")
    world = right_world(spec, "G28")
    check = all_checks("E")["E02"]
    assert check.judge(*(world.seen[kind] for kind in check.needs), world.expected).verdict is Verdict.HOLDS
    routes = world.seen[RouterRoutes].by_router
    lacking = world.but(RouterRoutes({**routes, "router-b": RouteTable(())}))
    finding = check.judge(*(lacking.seen[kind] for kind in check.needs), lacking.expected)
    assert finding.verdict is Verdict.FAILS
    assert finding.reason.startswith("router-b: next hops to 172.16.1.1: missing")


# before all events ---------------------------------------------------------------------------------------------------


def before_all(**other: Any) -> Any:
    world = right_world(load_lab("guide"), "G28").but(*other.values())
    check = all_checks("E")["E02"]
    return check.judge(*(world.seen[kind] for kind in check.needs), world.expected)


def test_a_lab_at_its_last_step_is_ready_for_events() -> None:
    finding = before_all()
    assert finding.verdict is Verdict.HOLDS, finding.reason


def test_one_node_for_all_of_a_clients_connections_is_no_ground_for_events() -> None:
    finding = before_all(policies=HashPolicies({"router": 0}))
    assert (finding.verdict, finding.reason) == (
        Verdict.FAILS,
        "router: hash policy 0 sends one client to one node",
    )


def test_a_router_without_the_route_is_no_ground_for_events() -> None:
    finding = before_all(routes=RouterRoutes({"router": RouteTable(())}))
    assert finding.verdict is Verdict.FAILS
    assert "next hops to 172.16.1.1: missing 192.168.10.100, 192.168.10.101, 192.168.20.100" in finding.reason


def test_a_host_that_does_not_answer_is_no_ground_for_events() -> None:
    world = right_world(load_lab("guide"), "G01")
    check = all_checks("E")["E01"]
    hosts, nodes = (world.seen[kind] for kind in check.needs)
    fallen = replace(hosts, faults={"k8s-w1": "timed out"})
    assert check.judge(hosts, nodes, world.expected).verdict is Verdict.HOLDS
    assert "k8s-w1 does not answer: timed out" in check.judge(fallen, nodes, world.expected).reason
