"""An event under steady traffic: prober, route monitor and FRR's log run while it is made, watched and undone.

Everything is watched from the first router, where the prober runs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv4Network
from typing import TypeVar

from bgplab.errors import DeadlineExceeded, LabError
from bgplab.lab.model import Lab
from bgplab.lab.shell import Shell
from bgplab.lab.waiting import Deadline, wait_until
from bgplab.observe.frr_bgp import read_summaries, read_tables
from bgplab.observe.kernel_routes import read_routes
from bgplab.observe.route_monitor import parse_monitor, start_monitor
from bgplab.observe.traffic_events import Phase, UnderTraffic
from bgplab.spec.derived import all_nodes
from bgplab.spec.model import LabSpec
from bgplab.steps.session_log import sessions_logged
from bgplab.steps.vip_view import wait_for_agreement
from bgplab.traffic.probe import start_probe
from bgplab.traffic.records import Plan, Probe

POLL_SECONDS = 0.1
PROBER_START_SECONDS = 20.0
CLOCK_QUESTIONS = 3
Seen = TypeVar("Seen", bound=UnderTraffic)


@dataclass(frozen=True, slots=True)
class Conditions:
    """How an event is watched.

    rate: connections per second, and so the resolution. before_seconds: of undisturbed traffic. after_seconds: watched
    on once a change has settled; longer than a connection may take to fail. request_seconds: a connection that does not
    come about, or is not answered, in this time has failed. dial_patience_seconds: how long a node that lost its
    session is waited for before its agent is restarted; None: until its own retry. node: whom it happens to.
    """

    rate: float = 100.0
    before_seconds: float = 1.0
    after_seconds: float = 1.5
    request_seconds: float = 0.5
    dial_patience_seconds: float | None = 3.0
    node: str | None = None


@dataclass(frozen=True)
class Event:
    """What is done, and how it is undone. did, undone: sentences without a full stop. nodes: those it concerns.

    has_settled: what is waited for after it, within settles_seconds. due: the kernel's next hops that must then be.
    has_returned, returns_seconds: the same once it is undone; next hops must be those from before. hasten: what else is
    done when it has not returned in time, and what is said of that.
    """

    did: str
    undone: str
    nodes: tuple[str, ...]
    make: Callable[[], object]
    undo: Callable[[], object]
    due: Callable[[], frozenset[IPv4Address]]
    has_settled: Callable[[], bool]
    settles_seconds: float
    has_returned: Callable[[], bool]
    returns_seconds: float
    hasten: Callable[[], str] | None = None


@dataclass(frozen=True, slots=True)
class Ground:
    """The lab as an event finds it: everybody announces who should, and all sessions are up."""

    lab: Lab
    spec: LabSpec
    conditions: Conditions
    router: Shell
    vip: IPv4Address
    hops: frozenset[IPv4Address]
    serving: frozenset[str]

    @property
    def prefix(self) -> IPv4Network:
        return IPv4Network(self.vip)

    def kernel_hops(self) -> frozenset[IPv4Address]:
        route = read_routes(self.router).to(self.prefix)
        return frozenset(route.gateways if route else ())

    def all_is_as_before(self) -> bool:
        """The next hops, with no path held over (RFC 4724), and every session."""
        table = read_tables({self.router.name: self.router}).by_router[self.router.name]
        fresh = frozenset(path.next_hop for path in table.paths(self.prefix) if path.valid and not path.stale)
        return fresh == self.hops == self.kernel_hops() and len(self.sessions()) == len(bgp_addresses(self.spec))

    def sessions(self) -> dict[IPv4Address, int]:
        """Established ones, and how often each has been."""
        summary = read_summaries({self.router.name: self.router}).by_router[self.router.name]
        return {peer.address: peer.established for peer in summary.peers if peer.state == "Established"}


def bgp_addresses(spec: LabSpec) -> frozenset[IPv4Address]:
    return frozenset(node.address for node in all_nodes(spec) if node.bgp)


def ground(lab: Lab, spec: LabSpec, conditions: Conditions, deadline: Deadline) -> Ground:
    """Wait until nodes, BGP and kernels agree on the address. Raises DeadlineExceeded, or LabError without one."""
    view = wait_for_agreement(lab, spec, deadline)
    if view.vip is None:
        raise LabError("the Service has no LoadBalancer address; walk the lab to its last step first")
    router = lab.hosts[spec.routers[0].name]
    found = Ground(lab, spec, conditions, router, view.vip, view.kernel[router.name], view.serving)
    wait_until(found.all_is_as_before, bool, deadline, "every session Established, no path held over", POLL_SECONDS)
    return found


def under_traffic(kind: type[Seen], here: Ground, event: Event) -> Seen:
    """Make the event and undo it while connections are opened steadily. It is undone, also after a fault."""
    clock = _clock(here.router)
    with (
        sessions_logged(here.router, here.spec.routers[0].asn) as read_log,
        _steady_traffic(here) as stop_probe,
        _routes_monitored(here.router) as stop_monitor,
    ):
        time.sleep(here.conditions.before_seconds)
        try:
            away_ns = clock()
            event.make()
            settled = _came(event.has_settled, event.settles_seconds)
            due = event.due()
            time.sleep(here.conditions.after_seconds)
        finally:
            back_ns = clock()
            event.undo()
        returned, note, noted_ns = _return(event, here.conditions, clock)
        time.sleep(here.conditions.after_seconds)
        end_ns, log, routes = clock(), read_log(), parse_monitor(stop_monitor())
        return kind(
            here.router.name,
            here.prefix,
            {node.address: node.name for node in all_nodes(here.spec)},
            here.hops,
            Phase(event.did, event.nodes, away_ns, back_ns, due, settled),
            Phase(event.undone, event.nodes, back_ns, end_ns, here.hops, returned, note, noted_ns),
            stop_probe(),
            routes,
            log,
        )


def _return(event: Event, conditions: Conditions, clock: Callable[[], int]) -> tuple[bool, str, int | None]:
    """Wait for the way back; whether it came, and what was done to hasten it, when."""
    patience = conditions.dial_patience_seconds
    if event.hasten is None or patience is None:
        return _came(event.has_returned, event.returns_seconds), "", None
    if _came(event.has_returned, patience):
        return True, "", None
    noted_ns, note = clock(), event.hasten()
    return _came(event.has_returned, event.returns_seconds), note, noted_ns


def _came(look: Callable[[], bool], seconds: float) -> bool:
    """Whether it became so in time; that it did not is a finding, not a fault."""
    try:
        return wait_until(look, bool, Deadline.after(seconds), "the event's effect", POLL_SECONDS)
    except DeadlineExceeded:
        return False


@contextmanager
def _steady_traffic(here: Ground) -> Iterator[Callable[[], Probe]]:
    app, patience = here.spec.cluster.app, here.conditions.request_seconds
    url = f"http://{here.vip}/" if app.port == 80 else f"http://{here.vip}:{app.port}/"
    plan = Plan(url, rate=here.conditions.rate, connect_timeout=patience, read_timeout=patience)
    begun = threading.Event()
    running = start_probe(here.router, plan, on_line=lambda line: begun.set())
    with _ended(running.stop) as stop:
        if not begun.wait(PROBER_START_SECONDS):
            raise LabError(f"{here.router.name}: the prober said nothing within {PROBER_START_SECONDS:g} s")
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


def _clock(host: Shell) -> Callable[[], int]:
    """A host's clock, read here: VMs drift, and prober, FRR and kernel tell the host's time."""
    return partial(_shifted, clock_offset_ns([_asked_for_the_time(host) for _ in range(CLOCK_QUESTIONS)]))


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


def _shifted(offset_ns: int) -> int:
    return time.time_ns() + offset_ns
