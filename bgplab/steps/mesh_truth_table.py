"""The truth table: every combination of affinity, ready sides and sharing, and who answers in each (M15)."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from bgplab.errors import DeadlineExceeded
from bgplab.lab.cluster import Cluster
from bgplab.lab.model import Lab
from bgplab.lab.waiting import Deadline, wait_until
from bgplab.observe.mesh_load import CurlSeen, curl_from_pod
from bgplab.observe.mesh_sides import Sides
from bgplab.observe.mesh_truth_table import Cell, TruthTable
from bgplab.observe.side_by_side import by_name
from bgplab.spec.mesh_manifests import AFFINITY, SHARED
from bgplab.spec.model import ClusterSpec, LabSpec
from bgplab.steps.mesh_affinity import affinities, annotate
from bgplab.steps.mesh_clusters import client_of, in_client, in_each, kubectl
from bgplab.steps.mesh_failover import scale
from bgplab.steps.mesh_steady import clock_offset_ns, start_steady
from bgplab.steps.mesh_view import read_sides, wait_for_mesh_agreement
from bgplab.steps.outcome import Outcome
from bgplab.traffic.convergence import NOT_THE_NETWORKS
from bgplab.traffic.mesh_model import State, truth_table
from bgplab.traffic.records import Probe

#: How long a state may take until every agent has taken it in; what answers then counts as seen.
STATE_SECONDS = 8.0
#: Connections per second from each client, over all states.
RATE = 150.0
#: Packets may follow an agent's own words so much later; more in the second look at what was not right in the first.
LAG_SECONDS = (0.1, 1.5)
#: So many draws miss one of n equal backends with a probability below n · exp(-20): 1e-8 for four, over all cells 1e-6.
DRAWS_PER_BACKEND = 20
FAILING_REQUESTS = 20


def plan_table(spec: LabSpec) -> list[str]:
    """One state in full, and how many there are."""
    states = truth_table([cluster.name for cluster in spec.clusters])
    lines = [f"# for each of {len(states)} states: affinity absent, none, local, remote × up or down × shared or not"]
    for cluster in spec.clusters:
        name = cluster.app.name
        lines += [
            kubectl(cluster, "scale", "deployment", name, "--replicas", "0"),
            kubectl(cluster, "annotate", "service", name, f"{AFFINITY}=local", f"{SHARED}=false", "--overwrite"),
            in_client(cluster, "curl", "-s", "--connect-timeout", "1", name),
        ]
    return lines


def fill_truth_table(lab: Lab, spec: LabSpec, deadline: Deadline) -> Outcome:
    """Bring the mesh into every state while all clusters' clients ask on, and see who answers in each (M15).

    The evidence is a TruthTable. It leaves no trace and is done each time; on the way out, also after a fault, pods
    and annotations are as before. Its waits have limits of their own, since it takes longer than other steps.
    """
    started, before = time.monotonic(), affinities(lab, spec)
    states = truth_table([cluster.name for cluster in spec.clusters])
    seen: dict[State, list[Cell]] = {}
    try:
        for lag in LAG_SECONDS:
            seen |= _look(lab, spec, [state for state in states if not _is_settled(seen.get(state))], lag)
    finally:
        _put_back(lab, spec, before)
    cells = [cell for state in states for cell in seen[state]]
    table = TruthTable(tuple(cells), time.monotonic() - started)
    what = f"{len(cells)} cells: {len(states)} states seen from {len(spec.clusters)} clusters"
    return Outcome.changed(f"{what}, in {table.seconds:.1f} s", plan_table(spec), evidence=[table])


def _is_settled(cells: list[Cell] | None) -> bool:
    return cells is not None and all(cell.settled_seconds is not None for cell in cells)


def _look(lab: Lab, spec: LabSpec, states: Sequence[State], lag: float) -> dict[State, list[Cell]]:
    """Go through these states in their order; each one's cells, a cell per cluster."""
    if not states:
        return {}
    ahead = in_each(lab, spec, lambda cluster, described: clock_offset_ns(cluster, client_of(described)))
    running = in_each(lab, spec, lambda cluster, described: start_steady(cluster, client_of(described), RATE))
    try:
        befores = (None, *states)
        spans = [_bring_about(lab, spec, now, before, lag) for before, now in zip(befores, states, strict=False)]
    finally:
        probes = by_name(lambda steady: steady.stop(), running)
    return {
        span.state: [cell_of(span, each.name, probes[each.name], ahead[each.name]) for each in spec.clusters]
        for span in spans
    }


@dataclass(frozen=True, slots=True)
class Span:
    """How a state was there, on our clock: from when it was asked for, and the time in which it is judged.

    curls: of clusters whose clients nobody can answer.
    """

    state: State
    sides: Sides
    began_ns: int
    judged_from_ns: int
    judged_until_ns: int
    curls: Mapping[str, CurlSeen]


def _bring_about(lab: Lab, spec: LabSpec, state: State, before: State | None, lag: float) -> Span:
    """before: the state that is there, None when nothing is known of it. Only differences are made."""
    began = time.time_ns()
    if before is None or before.up != state.up:
        in_each(lab, spec, lambda cluster, described: _scale_to(cluster, described, state))
    wanted = {
        AFFINITY: None if state.affinity == "absent" else state.affinity,
        SHARED: "true" if state.shared else "false",
    }
    in_each(lab, spec, partial(annotate, annotations=wanted))
    sides = _settled_sides(lab, spec, state)
    due = {each.name: sides.answering(each.name).backends for each in spec.clusters}
    time.sleep(lag)
    judged_from = time.time_ns()
    time.sleep(max(len(backends) * DRAWS_PER_BACKEND or FAILING_REQUESTS for backends in due.values()) / RATE)
    until = time.time_ns()
    unanswered = {each.name: each for each in spec.clusters if not due[each.name]}
    curls = by_name(lambda each: curl_from_pod(lab.clusters[each.name], client_of(each)), unanswered)
    return Span(state, sides, began, judged_from, until, curls)


def _scale_to(cluster: Cluster, described: ClusterSpec, state: State) -> None:
    scale(cluster, described, described.app.replicas if described.name in state.up else 0)


def _settled_sides(lab: Lab, spec: LabSpec, state: State) -> Sides:
    """Once endpoints are as the state wants them, and agents have taken it in or had time enough.

    Raises DeadlineExceeded for endpoints: without them the state is not there.
    """
    ready = {each.name: each.app.replicas if each.name in state.up else 0 for each in spec.clusters}
    wait_until(
        partial(read_sides, lab, spec),
        holds=lambda seen: {name: len(side.ready) for name, side in seen.by_cluster.items()} == ready,
        within=Deadline.after(4 * STATE_SECONDS),
        what=f"endpoints for {state}",
    )
    try:
        return wait_for_mesh_agreement(lab, spec, Deadline.after(STATE_SECONDS)).sides
    except DeadlineExceeded:
        return read_sides(lab, spec)  # who answers now is seen and judged as it is


def _put_back(lab: Lab, spec: LabSpec, affinity: Mapping[str, str]) -> None:
    def mend(cluster: Cluster, described: ClusterSpec) -> None:
        scale(cluster, described, described.app.replicas)
        before = affinity[described.name]
        annotate(cluster, described, annotations={AFFINITY: None if before == "absent" else before, SHARED: None})

    in_each(lab, spec, mend)
    ready = {cluster.name: cluster.app.replicas for cluster in spec.clusters}
    wait_for_mesh_agreement(lab, spec, Deadline.after(4 * STATE_SECONDS), ready)


def cell_of(span: Span, client: str, probe: Probe, ahead_ns: int = 0) -> Cell:
    """What one cluster's client saw of a state. ahead_ns: its clock less ours."""
    began, since, until = (at + ahead_ns for at in (span.began_ns, span.judged_from_ns, span.judged_until_ns))
    due = span.sides.answering(client).backends
    names = ("start_ns", "backend", "error", "total_us")
    rows = sorted(zip(*(probe.columns[name] for name in names), strict=True))
    rows = [row for row in rows if began <= row[0] < until and row[2] not in NOT_THE_NETWORKS]
    judged = [row for row in rows if row[0] >= since]
    wrong = [row[0] for row in rows if not _is_right(row[1], row[2], due)]
    settled = next((row[0] for row in rows if not wrong or row[0] > wrong[-1]), None)
    failures = [row for row in judged if row[2]]
    return Cell(
        span.state,
        span.sides.by_cluster[client],
        span.sides.others(client),
        None if settled is None or (wrong and wrong[-1] >= since) else (settled - began) / 1e9,
        dict(Counter(row[1] for row in judged if not row[2])),
        dict(Counter(row[2] for row in failures)),
        (span.judged_until_ns - span.judged_from_ns) / 1e9,
        max((row[3] for row in failures), default=0) / 1e6,
        span.curls.get(client),
    )


def _is_right(backend: str | None, error: str, due: frozenset[str]) -> bool:
    return (not error and backend in due) if due else error == "unreachable"
