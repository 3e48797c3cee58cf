"""Each change under traffic as the report gets it: its own connections, and all that was seen, on one axis."""

from __future__ import annotations

from dataclasses import replace

from failover_events import ALL, EVENT, GUIDE, OTHERS, SECOND, W1, an_event, both, failing

from bgplab.checks.all import all_checks
from bgplab.checks.expected import Expected
from bgplab.checks.finding import Verdict
from bgplab.judge.failover import NAMES, convergence_results
from bgplab.observe.traffic_events import LinkDown
from bgplab.results.record import ConvergenceResult

SEEN = an_event(
    LinkDown,
    undone_after=26,
    ends_after=33,
    hops={23.9: OTHERS, 31.1: ALL},
    log=[(9.0, "session_down", W1), (31.0, "session_up", W1)],
    outcome=failing((0.05, 23.9), of=3),
)


def results(id: str, seen: LinkDown) -> list[ConvergenceResult]:
    return convergence_results(seen, all_checks("E")[id], Expected(GUIDE, id))


def only_result(id: str, seen: LinkDown) -> ConvergenceResult:
    (result,) = results(id, seen)
    return result


def test_an_event_keeps_what_happened_until_it_was_undone() -> None:
    result = only_result("E09", SEEN)
    assert (result.verdict, result.check_id, result.event) == (Verdict.HOLDS, "E09", "the event")
    assert [(mark.source, mark.kind, round((mark.at_ns - EVENT) / SECOND, 1)) for mark in result.marks] == [
        ("step", "event_made", 0.0),
        ("frr", "session_down", 9.0),
        ("kernel", "route_changed", 23.9),
    ]
    starts = result.requests["start_ns"]
    assert (min(starts), max(starts)) == (EVENT - SECOND, EVENT + 26 * SECOND - SECOND // 100)
    assert result.lost == sum(1 for error in result.requests["error"] if error) > 700
    assert result.first_failure_at_ns == EVENT + 6 * SECOND // 100
    assert result.interval_seconds == 0.01
    assert result.recovery_seconds is not None and 23.8 < result.recovery_seconds < 24.0


def test_a_way_back_is_a_result_of_its_own_without_the_outage_before_it() -> None:
    result = only_result("E10", SEEN)
    assert (result.lost, result.outage_seconds, result.recovery_seconds) == (0, 0.0, None)
    assert [mark.kind for mark in result.marks] == ["event_made", "session_up", "route_changed"]


def test_every_change_has_a_name_of_its_own() -> None:
    names = [name for both in NAMES.values() for name in both]
    assert len(set(names)) == 14


def test_each_router_has_a_result_of_its_own_with_its_own_verdict() -> None:
    (at_one,) = SEEN.at
    unharmed = replace(SEEN, at=(replace(at_one, router="router-b", routes=()),))
    named = replace(SEEN, at=(replace(at_one, router="router-a"),))
    first, second = results("E09", both(named, unharmed))
    assert (first.name, second.name) == ("link down at router-a", "link down at router-b")
    assert (first.title, second.title) == tuple(
        f"{router}: a link down behind a switch: hold time and restart time, then others take over"
        for router in ("router-a", "router-b")
    )
    assert (first.verdict, second.verdict) == (Verdict.HOLDS, Verdict.FAILS)
    assert first.check_id == second.check_id == "E09"
