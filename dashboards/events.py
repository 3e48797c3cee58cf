"""Events under traffic as the page draws them: the probe's answers and what was seen meanwhile, on one time axis."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bgplab.results.record import ConvergenceResult, TimelineEvent
from dashboards import aggregate, wording

TICKS = 5  # about
CLOSEST = 3.6  # per cent of the axis between two marks in one row
MOST_ROWS = 4
MOST_MARKS = 200
LONG_GAP = 10  # intervals without a connection


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing seen. number: in the table, from 1. left: per cent of the axis. row: 0 is the upper one."""

    number: int
    left: float
    row: int
    since: str
    event: TimelineEvent


@dataclass(frozen=True, slots=True)
class MarkLane:
    """What one source saw. rows: how many it takes so that marks do not cover each other."""

    source: str
    marks: tuple[Mark, ...]

    @property
    def rows(self) -> int:
        return 1 + max(mark.row for mark in self.marks)


@dataclass(frozen=True, slots=True)
class Bar:
    """Connections begun in one stretch of time: left and width in per cent; failed: the failed ones' part, 0-1."""

    left: float
    width: float
    failed: float


@dataclass(frozen=True, slots=True)
class ShownEvent:
    """One event under traffic. event_left: per cent of the axis; outage: (left, width) in per cent, if there was one.

    cut: marks that are left out, MOST_MARKS being shown. figures: (name, value in words). unwatched: a sentence when no
    connection was begun around the event itself, so that what it did at first is not known; else empty.
    """

    result: ConvergenceResult
    bars: tuple[Bar, ...]
    lanes: tuple[MarkLane, ...]
    ticks: tuple[tuple[float, str], ...]
    event_left: float
    outage: tuple[float, float] | None
    marks: tuple[Mark, ...]
    cut: int
    figures: tuple[tuple[str, str], ...]
    unwatched: str

    @property
    def in_words(self) -> str:
        """The drawing for those who cannot see it."""
        return f"{self.result.sent} connections around the event, {self.result.lost} lost, {len(self.marks)} marks"


def shown_event(result: ConvergenceResult) -> ShownEvent:
    """Positions of everything on the axis, which reaches from the first thing seen to the last."""
    axis = _Axis(result)
    shown = sorted(result.marks, key=lambda mark: mark.at_ns)[:MOST_MARKS]
    marks = tuple(_placed(shown, axis))
    return ShownEvent(
        result=result,
        bars=tuple(_bars(result, axis)),
        lanes=_lanes(marks),
        ticks=axis.ticks(),
        event_left=axis.left(result.event_at_ns),
        outage=_outage(result, axis),
        marks=marks,
        cut=len(result.marks) - len(marks),
        figures=tuple(_figures(result)),
        unwatched=_unwatched(result),
    )


class _Axis:
    """The result's own time: what lies where, in per cent."""

    def __init__(self, result: ConvergenceResult) -> None:
        starts = result.requests.get("start_ns", ())
        moments = [result.event_at_ns, *(mark.at_ns for mark in result.marks)]
        if len(starts):
            moments += [int(min(starts)), int(max(starts)) + int(result.interval_seconds * 1e9)]
        self.event_ns, self._start = result.event_at_ns, min(moments)
        self._length = max(1, max(moments) - self._start)

    def left(self, at_ns: int) -> float:
        return round(100 * (at_ns - self._start) / self._length, 3)

    def width(self, length_ns: float) -> float:
        return round(100 * length_ns / self._length, 3)

    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Round numbers of seconds before and after the event."""
        step = _round_step(self._length / 1e9 / TICKS)
        first = math.ceil((self._start - self.event_ns) / 1e9 / step)
        last = math.floor((self._start + self._length - self.event_ns) / 1e9 / step)
        return tuple(
            (self.left(self.event_ns + round(number * step * 1e9)), wording.signed_seconds(number * step))
            for number in range(first, last + 1)
        )


def _round_step(at_least: float) -> float:
    """The next of 1, 2, 5, 10, … that is not smaller."""
    decade = 10.0 ** math.floor(math.log10(max(at_least, 1e-6)))
    return next(decade * factor for factor in (1, 2, 5, 10) if decade * factor >= at_least * (1 - 1e-9))


def _bars(result: ConvergenceResult, axis: _Axis) -> Iterator[Bar]:
    """Neighbouring stretches with the same part of failures are one bar."""
    seen = aggregate.outcomes(result)
    if seen is None:
        return
    held: Bar | None = None
    for place, (answered, failed) in enumerate(zip(seen.answered, seen.failed, strict=True)):
        if not answered + failed:
            continue
        left = axis.left(seen.start_ns + place * seen.width_ns)
        bar = Bar(left, axis.width(seen.width_ns), round(failed / (answered + failed), 3))
        if held and held.failed == bar.failed and left - (held.left + held.width) < 0.01:
            held = Bar(held.left, round(left + bar.width - held.left, 3), held.failed)
            continue
        if held:
            yield held
        held = bar
    if held:
        yield held


def _placed(events: Sequence[TimelineEvent], axis: _Axis) -> Iterator[Mark]:
    """In order of time; a mark too close to the one before it in its lane takes the next row."""
    ends: dict[str, list[float]] = {}
    for number, event in enumerate(events, 1):
        left, taken = axis.left(event.at_ns), ends.setdefault(event.source, [])
        row = next((row for row, end in enumerate(taken) if left - end >= CLOSEST), len(taken))
        row = row if row < MOST_ROWS else 0
        taken[row : row + 1] = [left]
        yield Mark(number, left, row, wording.since(event.at_ns, axis.event_ns), event)


def _lanes(marks: Sequence[Mark]) -> tuple[MarkLane, ...]:
    by_source: dict[str, list[Mark]] = {}
    for mark in marks:
        by_source.setdefault(mark.event.source, []).append(mark)
    return tuple(MarkLane(source, tuple(found)) for source, found in by_source.items())


def _outage(result: ConvergenceResult, axis: _Axis) -> tuple[float, float] | None:
    if result.first_failure_at_ns is None:
        return None
    least = int(result.interval_seconds * 1e9)
    width = max(result.outage_seconds * 1e9, (result.last_failure_at_ns or 0) - result.first_failure_at_ns, least)
    return axis.left(result.first_failure_at_ns), axis.width(width)


def _figures(result: ConvergenceResult) -> Iterator[tuple[str, str]]:
    yield "connections", wording.figure(result.sent)
    yield "lost", wording.figure(result.lost)
    yield "one every", wording.seconds(result.interval_seconds)
    for name, at_ns in (("first failure", result.first_failure_at_ns), ("last failure", result.last_failure_at_ns)):
        yield name, "none" if at_ns is None else wording.since(at_ns, result.event_at_ns)
    yield "outage", wording.seconds(result.outage_seconds) if result.lost else "none"
    yield "recovered after", _recovered(result)
    if failed := aggregate.errors(result):
        yield "failed by", ", ".join(failed)
    for name, value in result.figures.items():
        if name.endswith("_seconds") and isinstance(value, int | float):
            yield wording.figure_name(name.removesuffix("_seconds")), wording.seconds(value)
        else:
            yield wording.figure_name(name), wording.figure(value)


def _recovered(result: ConvergenceResult) -> str:
    if result.recovery_seconds is not None:
        return wording.seconds(result.recovery_seconds)
    return "not while watched" if result.lost else "nothing to recover from"


def _unwatched(result: ConvergenceResult) -> str:
    """The gap between two starts in which the event lies, when it is much longer than the probe's interval."""
    starts = sorted(map(int, result.requests.get("start_ns", ())))
    after = bisect.bisect_right(starts, result.event_at_ns)
    if not starts or after == len(starts):
        return "No connection was begun after the event."
    if not after and starts[0] - result.event_at_ns > LONG_GAP * result.interval_seconds * 1e9:
        late = wording.seconds((starts[0] - result.event_at_ns) / 1e9)
        return f"The first connection was begun {late} after the event: what happened before is not known."
    if after and starts[after] - starts[after - 1] > LONG_GAP * result.interval_seconds * 1e9:
        gap = wording.seconds((starts[after] - starts[after - 1]) / 1e9)
        return f"No connection was begun for {gap} around the event: what happened meanwhile is not known."
    return ""
