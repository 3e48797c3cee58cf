from dataclasses import replace

import pytest
from example_run import START, example_convergence, example_run, moment_of

from bgplab.results.record import TimelineEvent
from dashboards.aggregate import outcomes
from dashboards.events import shown_event
from dashboards.figures import convergence_figure
from dashboards.report import render_report

CALM, HURT = example_convergence()


def test_the_axis_reaches_over_all_connections_and_marks_and_its_ticks_count_from_the_event():
    shown = shown_event(HURT)
    assert shown.event_left == pytest.approx(100 * 2 / 30, abs=0.01)
    assert [label for _, label in shown.ticks] == ["0\u202fs", "+10\u202fs", "+20\u202fs"]
    assert all(0 <= mark.left <= 100 for mark in shown.marks)


def test_the_outage_is_drawn_from_the_first_failure_as_long_as_it_lasted():
    left, width = shown_event(HURT).outage
    assert left == pytest.approx(100 * 2.02 / 30, abs=0.01)
    assert width == pytest.approx(100 * 9 / 30, abs=0.01)


def test_without_a_failure_there_is_no_outage_and_one_bar_of_answers():
    shown = shown_event(CALM)
    assert shown.outage is None
    assert [bar.failed for bar in shown.bars] == [0]
    assert dict(shown.figures)["recovered after"] == "nothing to recover from"


def test_bars_tell_where_connections_failed():
    bars = shown_event(HURT).bars
    assert [bar.failed > 0 for bar in bars[:1]] == [False]
    failed = [bar for bar in bars if bar.failed == 1]
    assert min(bar.left for bar in failed) >= shown_event(HURT).outage[0] - 1
    assert sum(bar.width for bar in bars) == pytest.approx(100, abs=1)


def test_a_single_lost_connection_among_thousands_has_a_bar_of_its_own():
    error = ["" for _ in HURT.requests["error"]]
    error[700] = "reset"
    one = replace(HURT, requests={**HURT.requests, "error": error}, lost=1)
    assert len([bar for bar in shown_event(one).bars if bar.failed]) == 1
    assert dict(shown_event(one).figures)["failed by"] == "reset"


def test_an_outage_that_never_ended_is_said():
    gone = replace(HURT, recovery_seconds=None)
    assert dict(shown_event(gone).figures)["recovered after"] == "not while watched"


def test_marks_close_to_each_other_take_rows_of_their_own():
    marks = tuple(TimelineEvent(moment_of(24 + 0.01 * number), "frr", "update") for number in range(3))
    (lane,) = shown_event(replace(HURT, marks=marks)).lanes
    assert [mark.row for mark in lane.marks] == [0, 1, 2]
    assert lane.rows == 3


def test_more_marks_than_can_be_drawn_are_counted():
    marks = tuple(TimelineEvent(START + number, "frr", "update") for number in range(1000))
    shown = shown_event(replace(HURT, marks=marks))
    assert (len(shown.marks), shown.cut) == (200, 800)
    assert "800 more are in timeline.parquet" in render_report(example_run(convergence=(replace(HURT, marks=marks),)))


@pytest.mark.parametrize(
    ("kept", "told"),
    [
        (slice(None), ""),
        (
            slice(150, None),
            "The first connection was begun 1.0\u202fs after the event: what happened before is not known.",
        ),
        (slice(0, 90), "No connection was begun after the event."),
        (slice(0, 0), "No connection was begun after the event."),
    ],
    ids=["throughout", "too late", "too early", "none"],
)
def test_what_was_not_watched_is_said(kept, told):
    some = replace(CALM, requests={name: values[kept] for name, values in CALM.requests.items()})
    assert shown_event(some).unwatched == told
    assert (told in render_report(example_run(convergence=(some,)))) or not told


def test_a_gap_around_the_event_is_said():
    starts = [start for start in CALM.requests["start_ns"] if abs(start - CALM.event_at_ns) > 0.31e9]
    gap = replace(CALM, requests={"start_ns": starts, "error": [""] * len(starts)})
    assert shown_event(gap).unwatched.startswith("No connection was begun for 640\u202fms around the event")


def test_seconds_among_the_figures_have_their_unit():
    assert dict(shown_event(HURT).figures)["hold"] == "9.0\u202fs"


def test_an_event_without_connections_can_be_drawn():
    none = replace(CALM, requests={}, marks=(), sent=0)
    assert shown_event(none).bars == ()
    assert "Agent restarted" in render_report(example_run(convergence=(none,)))


def test_a_steady_probe_has_as_many_connections_in_each_stretch():
    seen = outcomes(HURT)
    assert set(map(sum, zip(seen.answered, seen.failed, strict=True))) == {13, 1500 % 13}


def test_the_figure_holds_every_connection_of_every_event():
    bars = [trace for trace in convergence_figure([CALM, HURT]).data if trace.type == "bar"]
    assert [(bar.name, sum(bar.y)) for bar in bars] == [
        ("answered", 300),
        ("failed", 0),
        ("answered", 1500 - HURT.lost),
        ("failed", HURT.lost),
    ]
