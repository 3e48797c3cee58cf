"""externalTrafficPolicy, and pods that come and go under it (G24, G26)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from bgplab.errors import LabError
from bgplab.lab.cluster import DEPLOYMENT, SERVICE
from bgplab.lab.model import Lab
from bgplab.lab.shell import Shell
from bgplab.lab.waiting import Deadline
from bgplab.observe.pod_move import Move, PodsMoved
from bgplab.observe.side_by_side import by_name
from bgplab.observe.sysctl import read_assignments
from bgplab.spec.model import LabSpec
from bgplab.spec.typed import in_namespace
from bgplab.steps.hosts import routers_of
from bgplab.steps.outcome import Outcome
from bgplab.steps.vip_view import VipView, look_at_vip, wait_for_agreement
from bgplab.traffic.probe import Plan, Probe, RunningProbe, start_probe

PROBES_PER_SECOND = 100
#: A request that is not answered so soon has failed. Requests are watched twice as long after a change has settled,
#: so that a blackhole shows before the next change.
REQUEST_PATIENCE_SECONDS = 0.5
WATCHED_SECONDS = 2 * REQUEST_PATIENCE_SECONDS
PROBER_START_SECONDS = 15.0


def plan_policy(spec: LabSpec, policy: Literal["Local", "Cluster"] = "Local") -> list[str]:
    app, patch = spec.cluster.app, f"""'{{"spec": {{"externalTrafficPolicy": "{policy}"}}}}'"""
    return [in_namespace(f"kubectl patch svc {app.name} -p {patch}", app.namespace)]


def set_policy(lab: Lab, spec: LabSpec, deadline: Deadline, policy: Literal["Local", "Cluster"] = "Local") -> Outcome:
    """The Service's externalTrafficPolicy; waits until exactly the nodes that should announce (G24). Repeatable."""
    app = spec.cluster.app
    already = look_at_vip(lab, spec).policy == policy
    if not already:
        patch = {"spec": {"externalTrafficPolicy": policy}}
        lab.cluster.patch(SERVICE, app.name, patch, app.namespace, type="strategic")
    seen = wait_for_agreement(lab, spec, deadline)
    what = f"{app.name}: externalTrafficPolicy {policy}, announced by {len(seen.due)} nodes"
    commands = plan_policy(spec, policy)
    return Outcome.already(what, commands) if already else Outcome.changed(what, commands)


def plan_move(spec: LabSpec) -> list[str]:
    app = spec.cluster.app
    if app.replicas < 2:
        return []
    scale = in_namespace(f"kubectl scale deployment {app.name} --replicas", app.namespace)
    return [f"{scale} {count}" for count in (app.replicas - 1, app.replicas)]


def move_pods(lab: Lab, spec: LabSpec, deadline: Deadline) -> Outcome:
    """Scale the application down by one and back while requests run from every router (G26).

    The evidence is a PodsMoved. On the way out, also after a fault, the application has its pods again. It leaves no
    trace, so it is done again until the step after it has left one (G28's file).
    """
    app, routers = spec.cluster.app, routers_of(lab, spec)
    if any(by_name(read_assignments, routers).values()):
        return Outcome.already(
            "pods were moved before: the hash policy of the step after (G28) is set", plan_move(spec)
        )
    before = wait_for_agreement(lab, spec, deadline)
    if app.replicas < 2:
        return Outcome.already(f"{app.name} has one pod only: there is nothing to take away", [])
    if before.policy != "Local":
        raise LabError(f"{app.name} has externalTrafficPolicy {before.policy}; pods are moved under Local (G24)")
    url = f"http://{before.vip}/" if app.port == 80 else f"http://{before.vip}:{app.port}/"
    clocks = by_name(_clock_offset_ns, routers)
    patience = REQUEST_PATIENCE_SECONDS
    steady = Plan(url, rate=PROBES_PER_SECOND, connect_timeout=patience, read_timeout=patience)
    running: dict[str, RunningProbe] = by_name(lambda router: _asking(router, steady), routers)
    changes: list[Change] = []
    try:
        _down_and_back(lab, spec, deadline, changes)
    finally:
        probes = by_name(lambda probe: probe.stop(), running)
    evidence = moved(before.serving, changes, probes, clocks, spec)
    slowest = max(change.settled_seconds for change in changes)
    return Outcome.changed(
        f"{app.name} scaled to {app.replicas - 1} and back to {app.replicas}, settled within {slowest:.2f} s;"
        f" {evidence.failed} of {evidence.requests} requests failed",
        plan_move(spec),
        evidence=[evidence],
    )


def _asking(router: Shell, plan: Plan) -> RunningProbe:
    """A prober that is at work: starting one takes seconds on a busy machine, longer than a change to settle."""
    begun = threading.Event()
    running = start_probe(router, plan, on_line=lambda line: begun.set())
    if not begun.wait(PROBER_START_SECONDS):
        running.stop()
        raise LabError(f"{router.name}: the prober said nothing within {PROBER_START_SECONDS:g} s")
    return running


@dataclass(frozen=True, slots=True)
class Change:
    """One scaling: what stood when it had settled, and when (wall clock here, nanoseconds)."""

    replicas: int
    view: VipView
    began_ns: int
    settled_ns: int

    @property
    def settled_seconds(self) -> float:
        return (self.settled_ns - self.began_ns) / 1e9


def _down_and_back(lab: Lab, spec: LabSpec, deadline: Deadline, changes: list[Change]) -> None:
    replicas = spec.cluster.app.replicas
    try:
        changes.append(_scale(lab, spec, replicas - 1, deadline))
        time.sleep(WATCHED_SECONDS)
    finally:
        changes.append(_scale(lab, spec, replicas, deadline))
    time.sleep(WATCHED_SECONDS)


def _scale(lab: Lab, spec: LabSpec, replicas: int, deadline: Deadline) -> Change:
    app, began = spec.cluster.app, time.time_ns()
    lab.cluster.patch(DEPLOYMENT, app.name, {"spec": {"replicas": replicas}}, app.namespace)
    view = wait_for_agreement(lab, spec, deadline, endpoints=replicas)
    return Change(replicas, view, began, time.time_ns())


def moved(
    before: Iterable[str],
    changes: list[Change],
    probes: Mapping[str, Probe],
    clocks: Mapping[str, int],
    spec: LabSpec,
) -> PodsMoved:
    """The evidence from what was seen. before: nodes that had a pod. clocks: each router's less ours, nanoseconds."""
    names = {node.address: node.name for node in spec.cluster.nodes}
    moves = []
    for number, change in enumerate(changes):
        until = changes[number + 1].began_ns if number + 1 < len(changes) else None
        for router, probe in probes.items():
            announcing = sorted(names.get(hop, str(hop)) for hop in change.view.paths[router])
            sent, failed = _between(probe, change.settled_ns + clocks[router], until and until + clocks[router])
            moves.append(
                Move(
                    change.replicas,
                    router,
                    tuple(sorted(change.view.serving)),
                    tuple(announcing),
                    change.settled_seconds,
                    sent,
                    failed,
                )
            )
    requests = sum(len(probe) for probe in probes.values())
    failed = sum(probe.errors.total() - probe.errors["interrupted"] for probe in probes.values())
    return PodsMoved(tuple(sorted(before)), tuple(moves), requests, failed)


def _between(probe: Probe, since_ns: int, until_ns: int | None) -> tuple[int, int]:
    """Requests that began in this time, and how many failed; the ones that our own stop interrupted do not count."""
    rows = zip(probe.columns["start_ns"], probe.columns["error"], strict=True)
    errors = [
        error
        for start, error in rows
        if error != "interrupted" and start >= since_ns and (until_ns is None or start < until_ns)
    ]
    return len(errors), sum(bool(error) for error in errors)


def _clock_offset_ns(host: Shell) -> int:
    """A host's clock less ours: VMs drift, and the prober's times are the host's."""
    before = time.time_ns()
    there = int(host.run(["date", "+%s%N"]).stdout)
    return there - (before + time.time_ns()) // 2
