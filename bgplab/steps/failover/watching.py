"""An event under steady traffic: prober, route monitor and FRR's log run while it is made, watched and undone.

Every router is watched by itself, in its own time: each carries traffic of its own, by a table of its own.
"""

from __future__ import annotations

import operator
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from bgplab.errors import DeadlineExceeded, LabError
from bgplab.lab.shell import Shell
from bgplab.lab.waiting import Deadline, wait_until
from bgplab.observe.bgp_log import BgpEvent
from bgplab.observe.route_monitor import parse_monitor, start_monitor
from bgplab.observe.traffic_events import AtRouter, Phase, UnderTraffic
from bgplab.spec.derived import all_nodes, router_named
from bgplab.steps.failover.event import POLL_SECONDS, Event, Ground, Hops
from bgplab.steps.failover.session_log import sessions_logged
from bgplab.traffic.probe import start_probe
from bgplab.traffic.records import Plan, Probe

PROBER_START_SECONDS = 20.0
CLOCK_QUESTIONS = 3
Seen = TypeVar("Seen", bound=UnderTraffic)


@dataclass(frozen=True, slots=True)
class _Course:
    """What was done when, by our own clock; what had to come of it, and whether it came, by router."""

    away_ns: int
    back_ns: int
    end_ns: int
    due: Hops
    settled: Mapping[str, bool]
    returned: Mapping[str, bool]
    note: str
    noted_ns: int | None


def under_traffic(kind: type[Seen], here: Ground, event: Event) -> Seen:
    """Make the event and undo it while connections are opened steadily. It is undone, also after a fault."""
    with ExitStack() as watched:
        watches = [watched.enter_context(_watched(here, name)) for name in here.routers]
        time.sleep(here.conditions.before_seconds)
        try:
            away_ns = time.time_ns()
            event.make()
            settled = settled_at(here, event)
            due = event.due()
            time.sleep(here.conditions.after_seconds)
        finally:
            back_ns = time.time_ns()
            event.undo()
        returned, note, noted_ns = _return(here, event)
        time.sleep(here.conditions.after_seconds)
        done = _Course(away_ns, back_ns, time.time_ns(), due, settled, returned, note, noted_ns)
        return kind(tuple(watch.ended(here, event, done) for watch in watches))


@dataclass(frozen=True, slots=True)
class _Watch:
    """One router's. clock: a moment of ours as this router tells it; VMs drift."""

    router: str
    clock: Callable[[int], int]
    read_log: Callable[[], tuple[BgpEvent, ...]]
    stop_probe: Callable[[], Probe]
    stop_monitor: Callable[[], str]

    def ended(self, here: Ground, event: Event, done: _Course) -> AtRouter:
        """Stop watching; what was seen."""
        away_ns, back_ns, end_ns = map(self.clock, (done.away_ns, done.back_ns, done.end_ns))
        noted_ns = None if done.noted_ns is None else self.clock(done.noted_ns)
        spared = event.only not in (None, self.router)
        nodes, before = () if spared else event.nodes, here.hops[self.router]
        log, routes = self.read_log(), parse_monitor(self.stop_monitor())
        return AtRouter(
            self.router,
            here.prefix,
            {node.address: node.name for node in all_nodes(here.spec)},
            before,
            Phase(event.did, nodes, away_ns, back_ns, done.due[self.router], done.settled[self.router], spared=spared),
            Phase(
                event.undone, nodes, back_ns, end_ns, before, done.returned[self.router], done.note, noted_ns, spared
            ),
            self.stop_probe(),
            routes,
            log,
        )


@contextmanager
def _watched(here: Ground, name: str) -> Iterator[_Watch]:
    router = here.routers[name]
    with (
        sessions_logged(router, router_named(here.spec, name).asn) as read_log,
        _steady_traffic(here, router) as stop_probe,
        _routes_monitored(router) as stop_monitor,
    ):
        yield _Watch(name, _clock(router), read_log, stop_probe, stop_monitor)


def settled_at(here: Ground, event: Event) -> dict[str, bool]:
    """Wait for what must come of an event; whether it came, by router."""

    def as_due() -> dict[str, bool]:
        due = event.due()
        return {router: hops == due[router] for router, hops in here.kernel_hops().items()}

    return _came_at(here, event.has_settled, as_due, event.settles_seconds)


def _return(here: Ground, event: Event) -> tuple[dict[str, bool], str, int | None]:
    """Wait for the way back; whether it came, by router, and what was done to hasten it, when."""
    patience = here.conditions.dial_patience_seconds
    if event.hasten is None or patience is None:
        return _came_at(here, event.has_returned, here.as_before, event.returns_seconds), "", None
    back = _came_at(here, event.has_returned, here.as_before, patience)
    if all(back.values()):
        return back, "", None
    noted_ns, note = time.time_ns(), event.hasten()
    return _came_at(here, event.has_returned, here.as_before, event.returns_seconds), note, noted_ns


def _came_at(
    here: Ground, whole: Callable[[], bool] | None, by_router: Callable[[], Mapping[str, bool]], seconds: float
) -> dict[str, bool]:
    """Wait until all of it is so. whole: what is looked at instead, for all routers alike."""
    if whole is not None:
        return dict.fromkeys(here.hops, _came(whole, seconds))
    if _came(lambda: all(by_router().values()), seconds):
        return dict.fromkeys(here.hops, True)
    return dict(by_router())


def _came(look: Callable[[], bool], seconds: float) -> bool:
    """Whether it became so in time; that it did not is a finding, not a fault."""
    try:
        return wait_until(look, bool, Deadline.after(seconds), "the event's effect", POLL_SECONDS)
    except DeadlineExceeded:
        return False


@contextmanager
def _steady_traffic(here: Ground, router: Shell) -> Iterator[Callable[[], Probe]]:
    app, patience = here.spec.cluster.app, here.conditions.request_seconds
    url = f"http://{here.vip}/" if app.port == 80 else f"http://{here.vip}:{app.port}/"
    plan = Plan(url, rate=here.conditions.rate, connect_timeout=patience, read_timeout=patience)
    begun = threading.Event()
    running = start_probe(router, plan, on_line=lambda line: begun.set())
    with _ended(running.stop) as stop:
        if not begun.wait(PROBER_START_SECONDS):
            raise LabError(f"{router.name}: the prober said nothing within {PROBER_START_SECONDS:g} s")
        yield stop


@contextmanager
def _routes_monitored(router: Shell) -> Iterator[Callable[[], str]]:
    running = start_monitor(router)
    with _ended(lambda: running.stop().stdout) as stop:
        yield stop


Result = TypeVar("Result")


@contextmanager
def _ended(end: Callable[[], Result]) -> Iterator[Callable[[], Result]]:
    """Hand out `end`, and call it when the block was left without."""
    results: list[Result] = []

    def once() -> Result:
        if not results:
            results.append(end())
        return results[0]

    try:
        yield once
    finally:
        once()


def _clock(host: Shell) -> Callable[[int], int]:
    """A moment of our clock → of the host's: prober, FRR and kernel tell the host's time."""
    return partial(operator.add, clock_offset_ns([_asked_for_the_time(host) for _ in range(CLOCK_QUESTIONS)]))


def _asked_for_the_time(host: Shell) -> tuple[int, int, int]:
    before = time.time_ns()
    there = int(host.run(["date", "+%s%N"]).stdout)
    return before, there, time.time_ns()


def clock_offset_ns(answers: Sequence[tuple[int, int, int]]) -> int:
    """A host's clock less ours, from (asked, its time, answered): by the quickest answer, as in NTP.

    0 when the clocks may be equal: on a busy machine an answer may take longer than what it tells.
    """
    asked, there, answered = min(answers, key=lambda answer: answer[2] - answer[0])
    return 0 if asked <= there <= answered else there - (asked + answered) // 2
