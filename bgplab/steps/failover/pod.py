"""A pod scaled away (E03) and back (E04)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from bgplab.lab.cluster import DEPLOYMENT
from bgplab.observe.traffic_events import AtRouter, PodScaledAway
from bgplab.spec.model import LabSpec
from bgplab.spec.typed import in_namespace
from bgplab.steps.failover.event import POD_SECONDS, Event, Ground, Hops
from bgplab.steps.vip_view import look_at_vip


def pod_scaled_away(here: Ground) -> Event:
    """Which pod goes is the ReplicaSet controller's choice; under policy Local its node then withdraws."""
    app, cluster = here.spec.cluster.app, here.lab.cluster

    def scale(replicas: int) -> None:
        cluster.patch(DEPLOYMENT, app.name, {"spec": {"replicas": replicas}}, app.namespace)

    def due() -> Hops:
        return dict.fromkeys(here.hops, look_at_vip(here.lab, here.spec).due)

    def settled() -> bool:
        view = look_at_vip(here.lab, here.spec)
        return view.endpoints == app.replicas - 1 and here.kernel_hops() == dict.fromkeys(here.hops, view.due)

    return Event(
        did=f"{app.name} scaled from {app.replicas} pods to {app.replicas - 1}",
        undone=f"{app.name} scaled back to {app.replicas} pods",
        nodes=(),
        make=partial(scale, app.replicas - 1),
        undo=partial(scale, app.replicas),
        due=due,
        has_settled=settled,
        returns_seconds=POD_SECONDS,
    )


def plan_pod(spec: LabSpec) -> list[str]:
    app = spec.cluster.app
    scale = in_namespace(f"kubectl scale deployment {app.name} --replicas", app.namespace)
    return [f"{scale} {count}" for count in (app.replicas - 1, app.replicas)]


def with_nodes(seen: PodScaledAway) -> PodScaledAway:
    """Whose pod went is known only afterwards."""
    return replace(seen, at=tuple(map(_with_nodes, seen.at)))


def _with_nodes(seen: AtRouter) -> AtRouter:
    gone = tuple(sorted(seen.names.get(hop, str(hop)) for hop in seen.before - seen.away.due))
    return replace(seen, away=replace(seen.away, nodes=gone), back=replace(seen.back, nodes=gone))
