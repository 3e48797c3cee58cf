"""What a cell of the truth table makes of a prober's records: what counts, and since when the right ones answered."""

from __future__ import annotations

from bgplab.observe.mesh_load import CurlSeen
from bgplab.observe.mesh_sides import Home, Sides
from bgplab.steps.mesh_truth_table import Span, cell_of
from bgplab.traffic.mesh_model import Side, State
from bgplab.traffic.prober import COLUMNS
from bgplab.traffic.records import Probe

STATE = State("local", frozenset({"west", "east"}), True)
EMPTY = State("local", frozenset({"east"}), False)
MILLISECOND = 1_000_000


def records(*rows: tuple[int, str | None, str]) -> Probe:
    """(start in milliseconds, pod, error)."""
    made = [(n, at * MILLISECOND, 1, 1, 1500, "", 1, pod, None, None, error) for n, (at, pod, error) in enumerate(rows)]
    return Probe("p", "", dict(zip(COLUMNS, (list(c) for c in zip(*made, strict=True)), strict=True)))


def span(state: State, west: frozenset[str], *, shared: bool = True, curls: dict[str, CurlSeen] | None = None) -> Span:
    """Asked for at 100 ms, judged from 300 to 500."""
    sides = {
        "west": Side("west", west, affinity="local", shared=shared),
        "east": Side("east", frozenset({"e1"}), affinity="local", shared=shared),
    }
    homes = {"w1": Home("west", "west-worker"), "e1": Home("east", "east-worker")}
    times = (100 * MILLISECOND, 300 * MILLISECOND, 500 * MILLISECOND)
    return Span(state, Sides(sides, {}, homes), *times, curls or {})


LOCAL = span(STATE, frozenset({"w1"}))


def test_a_state_that_settles_before_its_window_says_how_long_it_took() -> None:
    rows = [(at, "e1" if at < 160 else "w1", "") for at in range(50, 550, 10)]
    cell = cell_of(LOCAL, "west", records(*rows))
    assert cell.settled_seconds == 0.06
    assert (dict(cell.answered), dict(cell.errors)) == ({"w1": 20}, {})
    assert cell.window_seconds == 0.2


def test_a_wrong_answer_inside_the_window_is_kept_and_nothing_has_settled() -> None:
    rows = [(at, "e1" if at == 350 else "w1", "") for at in range(100, 500, 10)]
    cell = cell_of(LOCAL, "west", records(*rows))
    assert cell.settled_seconds is None
    assert dict(cell.answered) == {"w1": 19, "e1": 1}


def test_failures_while_it_changes_are_not_judged_and_those_after_are() -> None:
    rows = [(at, None if at in (120, 400) else "w1", "reset" if at in (120, 400) else "") for at in range(100, 500, 10)]
    cell = cell_of(LOCAL, "west", records(*rows))
    assert dict(cell.errors) == {"reset": 1}
    assert cell.slowest_failure_seconds == 0.0015


def test_where_nobody_can_answer_unreachable_is_right_and_curl_is_kept() -> None:
    nobody = span(EMPTY, frozenset(), shared=False, curls={"west": CurlSeen(7, 0.002)})
    rows = [(at, "w1" if at < 130 else None, "" if at < 130 else "unreachable") for at in range(100, 500, 10)]
    cell = cell_of(nobody, "west", records(*rows))
    assert (cell.settled_seconds, dict(cell.answered), dict(cell.errors)) == (0.03, {}, {"unreachable": 20})
    assert cell.curl == CurlSeen(7, 0.002)
    assert cell_of(nobody, "east", records((350, "e1", ""))).curl is None


def test_a_hang_is_not_right_where_nobody_can_answer() -> None:
    nobody = span(EMPTY, frozenset(), shared=False)
    cell = cell_of(nobody, "west", records(*((at, None, "timeout_connect") for at in range(100, 500, 10))))
    assert cell.settled_seconds is None


def test_without_any_request_nothing_has_settled() -> None:
    assert cell_of(LOCAL, "west", records((50, "w1", ""))).settled_seconds is None


def test_the_clients_clock_is_taken_into_account() -> None:
    rows = [(at, "w1", "") for at in range(1100, 1500, 10)]
    assert dict(cell_of(LOCAL, "west", records(*rows), ahead_ns=1000 * MILLISECOND).answered) == {"w1": 20}
    assert dict(cell_of(LOCAL, "west", records(*rows)).answered) == {}
