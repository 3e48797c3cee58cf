"""Each change under traffic as the report gets it: its own connections, and all that was seen, on one axis."""

from __future__ import annotations

from failover_events import ALL, EVENT, OTHERS, SECOND, W1, an_event, failing, judged

from bgplab.checks.all import all_checks
from bgplab.checks.finding import Verdict
from bgplab.judge.failover import NAMES, convergence_result
from bgplab.observe.traffic_events import LinkDown

SEEN = an_event(
    LinkDown,
    undone_after=26,
    ends_after=33,
    hops={23.9: OTHERS, 31.1: ALL},
    log=[(9.0, "session_down", W1), (31.0, "session_up", W1)],
    outcome=failing((0.05, 23.9), of=3),
)


def test_an_event_keeps_what_happened_until_it_was_undone() -> None:
    result = convergence_result(SEEN, SEEN.away, "link down", all_checks("E")["E09"], judged("E09", SEEN))
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
    result = convergence_result(SEEN, SEEN.back, "link up", all_checks("E")["E10"], judged("E10", SEEN))
    assert (result.lost, result.outage_seconds, result.recovery_seconds) == (0, 0.0, None)
    assert [mark.kind for mark in result.marks] == ["event_made", "session_up", "route_changed"]


def test_every_change_has_a_name_of_its_own() -> None:
    names = [name for both in NAMES.values() for name in both]
    assert len(set(names)) == 14
