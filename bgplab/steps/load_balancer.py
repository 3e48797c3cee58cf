"""Address pool, Service of type LoadBalancer, and its advertisement (G18–G21)."""

from __future__ import annotations

import time

from bgplab.lab.cluster import SERVICE
from bgplab.lab.model import Lab
from bgplab.lab.waiting import Deadline, wait_until
from bgplab.observe.lb_pools import read_pools
from bgplab.observe.services import read_service
from bgplab.spec import manifests
from bgplab.spec.model import LabSpec
from bgplab.spec.typed import in_namespace
from bgplab.steps.objects import apply_what_differs
from bgplab.steps.outcome import Outcome, kubectl_apply
from bgplab.steps.vip_view import wait_for_agreement


def plan_pool(spec: LabSpec) -> list[str]:
    return [kubectl_apply(manifests.lb_pool(spec.cluster)), "kubectl get ippool"]


def create_pool(lab: Lab, spec: LabSpec, deadline: Deadline) -> Outcome:
    """The pool of LoadBalancer addresses; waits until its counts are written (G18). Repeatable."""
    name = spec.cluster.pool.name
    applied = apply_what_differs(lab.cluster, manifests.lb_pool(spec.cluster))
    pool = wait_until(
        lambda: read_pools(lab.cluster).named(name),
        holds=lambda seen: seen is not None and seen.available is not None,
        within=deadline,
        what=f"pool {name} with its counts",
    )
    what = f"{name}: {pool.available if pool else '?'} addresses available"
    return Outcome.changed(what, plan_pool(spec)) if applied else Outcome.already(what, plan_pool(spec))


def plan_type(spec: LabSpec) -> list[str]:
    app, patch = spec.cluster.app, '{"spec": {"type": "LoadBalancer"}}'
    commands = (f"kubectl patch svc {app.name} -p '{patch}'", f"kubectl get svc {app.name}")
    return [in_namespace(command, app.namespace) for command in commands]


def make_load_balancer(lab: Lab, spec: LabSpec, deadline: Deadline) -> Outcome:
    """The Service gets type LoadBalancer; waits for its address (G19). Repeatable."""
    app = spec.cluster.app
    before = read_service(lab.cluster, app.name, app.namespace).service
    if before and before.type == "LoadBalancer" and before.vip:
        return Outcome.already(f"{app.name} has {before.vip}", plan_type(spec))
    lab.cluster.patch(SERVICE, app.name, {"spec": {"type": "LoadBalancer"}}, app.namespace, type="strategic")
    after = wait_until(
        lambda: read_service(lab.cluster, app.name, app.namespace).service,
        holds=lambda seen: seen is not None and seen.vip is not None,
        within=deadline,
        what=f"Service {app.name} with an address",
    )
    return Outcome.changed(f"{app.name} has {after.vip if after else '?'}", plan_type(spec))


def plan_advertisement(spec: LabSpec) -> list[str]:
    return [
        kubectl_apply(manifests.service_advertisement(spec.cluster)),
        "kubectl exec -n kube-system ds/cilium -- cilium-dbg bgp route-policies",
    ]


def advertise_service(lab: Lab, spec: LabSpec, deadline: Deadline) -> Outcome:
    """The advertisement that selects the Service; waits until routers' kernels have the address (G21). Repeatable."""
    started = time.monotonic()
    applied = apply_what_differs(lab.cluster, manifests.service_advertisement(spec.cluster))
    seen = wait_for_agreement(lab, spec, deadline)
    what = f"{seen.vip} announced by {len(seen.due)} nodes"
    if not applied:
        return Outcome.already(what, plan_advertisement(spec))
    took = time.monotonic() - started
    return Outcome.changed(
        f"{what}, in the routers' kernels after {took:.2f} s", plan_advertisement(spec), propagation_seconds=took
    )
