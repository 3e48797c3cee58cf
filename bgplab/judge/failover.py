"""Events under steady traffic (E01–E16) as a course: what steps saw of them, judged, and kept for the report."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from bgplab.checks.all import all_checks
from bgplab.checks.expected import Expected
from bgplab.checks.finding import Finding
from bgplab.checks.registry import Check
from bgplab.judge.bgp_lab import by_hand_now, expectation
from bgplab.judge.bgp_lab_traces import TRACES as BGP_LAB_TRACES
from bgplab.judge.course import Course
from bgplab.judge.faults import NeedsAChange
from bgplab.judge.readers import READERS as BGP_LAB_READERS
from bgplab.judge.sight import Sight
from bgplab.judge.topology import topology_of, versions_of
from bgplab.observe.endpoint_slices import Endpoints
from bgplab.observe.services import AppService
from bgplab.observe.traffic_events import (
    AgentKilled,
    AgentsRestarted,
    AtRouter,
    LabelRemoved,
    LinkDown,
    Phase,
    PodScaledAway,
    RouteWithdrawn,
    SessionShut,
    UnderTraffic,
)
from bgplab.results.record import ConvergenceResult, TimelineEvent

#: By kind of event: the names of its two changes, unique among what has traffic in a run.
NAMES: dict[type[UnderTraffic], tuple[str, str]] = {
    PodScaledAway: ("pod scaled away", "pod back"),
    AgentKilled: ("agent killed", "agent back"),
    AgentsRestarted: ("agents restarted", "agents back"),
    LinkDown: ("link down", "link up"),
    SessionShut: ("session shut", "session opened"),
    LabelRemoved: ("label removed", "label set"),
    RouteWithdrawn: ("route withdrawn", "route advertised again"),
}
#: Shown before a change, for comparison.
BEFORE_NS = 1_000_000_000


def _kept(kind: type[UnderTraffic]) -> Callable[[Sight], UnderTraffic]:
    def read(sight: Sight) -> UnderTraffic:
        seen = sight.context.kept(kind)
        if seen is None:
            raise NeedsAChange(f"it takes an event that only a step of flow failover makes ({NAMES[kind][0]})")
        return seen

    return read


READERS: dict[type, Callable[[Sight], Any]] = {**BGP_LAB_READERS, **{kind: _kept(kind) for kind in NAMES}}


def _keep_convergence(check: Check, sight: Sight) -> None:
    """The event as the report shows it, at each router, with what its check says of that router."""
    kind = next((need for need in check.needs if need in NAMES), None)
    seen = sight.context.kept(kind) if kind else None
    if seen is None:
        return
    results = convergence_results(seen, check, sight.expected)
    kept, names = sight.context.convergence, {result.name for result in results}
    kept[:] = [one for one in kept if one.name not in names] + results


def convergence_results(seen: UnderTraffic, check: Check, expected: Expected) -> list[ConvergenceResult]:
    """One phase of an event by router; with several routers their names and titles say which."""
    event = check.id == check.holds_from
    name = NAMES[type(seen)][0 if event else 1]
    return [
        convergence_result(
            at,
            at.away if event else at.back,
            f"{name} at {at.router}" if len(seen.at) > 1 else name,
            f"{at.router}: {check.title}" if len(seen.at) > 1 else check.title,
            check,
            check.judge(type(seen)((at,)), expected),
        )
        for at in seen.at
    ]


def convergence_result(
    seen: AtRouter, phase: Phase, name: str, title: str, check: Check, finding: Finding
) -> ConvergenceResult:
    """One phase of an event at one router with its connections and marks."""
    since, until = max(0, phase.at_ns - BEFORE_NS), phase.until_ns
    columns = seen.probe.columns
    rows = [number for number, start in enumerate(columns["start_ns"]) if since <= start < until]
    traffic = seen.traffic(phase)
    return ConvergenceResult(
        name=name,
        title=title,
        event=phase.did,
        expectation=check.explanation.observed,
        verdict=finding.verdict,
        reason=finding.reason,
        interval_seconds=_interval_seconds([columns["start_ns"][number] for number in rows]),
        requests={column: [values[number] for number in rows] for column, values in columns.items()},
        event_at_ns=phase.at_ns,
        first_failure_at_ns=traffic.first_failure_ns,
        last_failure_at_ns=traffic.last_failure_ns,
        sent=traffic.sent,
        lost=traffic.lost,
        outage_seconds=traffic.outage_seconds,
        recovery_seconds=traffic.seconds_after(phase.at_ns) if traffic.lost and traffic.recovered else None,
        marks=tuple(sorted(_marks(seen, phase), key=lambda mark: mark.at_ns)),
        figures={
            figure: value
            for figure, value in finding.figures.items()
            if figure in ("kernel_settled_seconds", "session_up_seconds")
        },
        check_id=check.id,
    )


def _interval_seconds(starts: list[int]) -> float:
    """The usual time between two connections."""
    starts = sorted(starts)
    gaps = sorted(after - before for before, after in pairwise(starts))
    return gaps[len(gaps) // 2] / 1e9 if gaps else 0.0


def _marks(seen: AtRouter, phase: Phase) -> list[TimelineEvent]:
    marks = [TimelineEvent(phase.at_ns, "step", "event_made", ", ".join(phase.nodes), phase.did)]
    if phase.noted_ns is not None:
        marks.append(TimelineEvent(phase.noted_ns, "step", "agent_restarted", ", ".join(phase.nodes), phase.note))
    marks += [
        TimelineEvent(event.at_ns, "frr", event.kind, seen.names.get(event.peer, str(event.peer)), event.detail)
        for event in seen.log
        if phase.at_ns <= event.at_ns < phase.until_ns
    ]
    for change in seen.routes:
        if phase.at_ns <= change.at_ns < phase.until_ns:
            kind = "route_changed" if change.next_hops else "route_deleted"
            names = sorted(seen.names.get(hop, str(hop)) for hop in change.next_hops)
            marks.append(TimelineEvent(change.at_ns, "kernel", kind, str(change.prefix), ", ".join(names)))
    return marks


FAILOVER = Course(
    letter="E",
    checks=lambda: all_checks("E"),
    readers=READERS,
    slow=frozenset(),
    grounds=(AppService, Endpoints),
    expectation=expectation,
    traces={
        "E01": BGP_LAB_TRACES["G01"],
        "E02": BGP_LAB_TRACES["G28"],
    },
    by_hand=by_hand_now,
    topology=topology_of,
    versions=versions_of,
    judged=_keep_convergence,
)
