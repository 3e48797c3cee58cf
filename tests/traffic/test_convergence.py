import pytest

from bgplab.traffic.convergence import convergence
from bgplab.traffic.records import Probe

MS = 1_000_000


def steady(*outcomes):
    """One connection every 10 ms from 1 s on, in order of completion that is not the order of start."""
    starts = [1000 * MS + number * 10 * MS for number in range(len(outcomes))]
    rows = sorted(zip(starts, outcomes, strict=True), key=lambda row: row[1] == "")
    return Probe(
        "router", "", {"sequence": [], "start_ns": [row[0] for row in rows], "error": [row[1] for row in rows]}
    )


def test_without_a_failure_there_is_no_outage():
    seen = convergence(steady("", "", ""))
    assert (seen.lost, seen.sent, seen.outage_seconds, seen.recovered) == (0, 3, 0.0, True)


def test_an_outage_runs_from_the_first_failure_to_the_next_success():
    seen = convergence(steady("", "reset", "", "timeout_connect", "timeout_connect", ""))
    assert (seen.lost, seen.outage_seconds) == (3, pytest.approx(0.04))
    assert seen.errors == {"reset": 1, "timeout_connect": 2}


def test_an_outage_that_does_not_end_is_not_recovered():
    seen = convergence(steady("", "refused", "refused"))
    assert (seen.recovered, seen.outage_seconds) == (False, pytest.approx(0.01))


def test_the_time_from_the_event_includes_what_came_before_the_first_failure():
    seen = convergence(steady("", "", "reset", ""))
    assert seen.seconds_after(1000 * MS) == pytest.approx(0.03)


def test_failures_before_the_event_are_not_its_own():
    assert convergence(steady("reset", "", ""), since_ns=1010 * MS).lost == 0


def test_failures_of_the_clients_own_are_left_out():
    seen = convergence(steady("", "interrupted", "address_in_use"))
    assert (seen.lost, seen.sent) == (0, 1)


def test_the_resolution_is_the_largest_gap():
    assert convergence(steady("", "", "")).resolution_seconds == pytest.approx(0.01)
