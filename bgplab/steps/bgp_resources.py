"""BGP on the nodes: labels and Cilium's resources (G10–G11)."""

from __future__ import annotations

import time
from functools import partial

from bgplab.lab.cluster import NODE
from bgplab.lab.model import Lab
from bgplab.lab.waiting import Deadline, wait_until
from bgplab.observe.frr_bgp import BgpSummaries, read_summaries
from bgplab.observe.kernel_routes import RouterRoutes, read_router_routes
from bgplab.observe.nodes import read_nodes
from bgplab.observe.side_by_side import side_by_side
from bgplab.spec import derived, manifests
from bgplab.spec.model import LabSpec
from bgplab.steps.hosts import routers_of
from bgplab.steps.objects import apply_what_differs
from bgplab.steps.outcome import Outcome, kubectl_apply


def plan_labels(spec: LabSpec) -> list[str]:
    names, label = " ".join(node.name for node in derived.bgp_nodes(spec)), spec.cluster.bgp.node_label
    return [f"kubectl label nodes {names} {label}=true", f"kubectl get node -l {label}=true"]


def label_nodes(lab: Lab, spec: LabSpec, deadline: Deadline) -> Outcome:
    """The label that the cluster configuration selects, on the nodes that should speak BGP (G10). Repeatable."""
    label, due = spec.cluster.bgp.node_label, {node.name for node in derived.bgp_nodes(spec)}
    lacking = due - read_nodes(lab.cluster).labelled(label)
    what = f"{label}=true on {', '.join(sorted(due))}"
    if not lacking:
        return Outcome.already(what, plan_labels(spec))
    patch = {"metadata": {"labels": {label: "true"}}}
    side_by_side(lambda name: lab.cluster.patch(NODE, name, patch), sorted(lacking))
    wait_until(
        lambda: read_nodes(lab.cluster).labelled(label), holds=lambda seen: due <= seen, within=deadline, what=what
    )
    return Outcome.changed(what, plan_labels(spec))


def plan_resources(spec: LabSpec) -> list[str]:
    return [
        kubectl_apply(manifests.bgp_resources(spec)),
        "kubectl get ciliumbgpadvertisements,ciliumbgppeerconfigs,ciliumbgpclusterconfigs,ciliumbgpnodeconfigs",
    ]


def apply_bgp_resources(lab: Lab, spec: LabSpec, deadline: Deadline) -> Outcome:
    """Advertisement, peer and cluster configuration; waits for sessions and kernel routes (G11). Repeatable.

    Measures the propagation: from the last session Established until the last pod CIDR is in a router's kernel.
    """
    routers = routers_of(lab, spec)
    applied = apply_what_differs(lab.cluster, manifests.bgp_resources(spec))
    started = time.monotonic()
    wait_until(
        partial(read_summaries, routers),
        holds=lambda seen: _all_established(seen, spec),
        within=deadline,
        what="every session Established",
    )
    established = time.monotonic()
    wait_until(
        partial(read_router_routes, routers),
        holds=lambda seen: _all_routed(seen, spec),
        within=deadline,
        what="every pod CIDR in the routers' kernels",
    )
    count = len(derived.peerings(spec))
    if not applied:
        return Outcome.already(f"{count} sessions are established", plan_resources(spec))
    return Outcome.changed(
        f"applied {', '.join(applied)}; {count} sessions established after {established - started:.2f} s",
        plan_resources(spec),
        propagation_seconds=time.monotonic() - established,
    )


def _all_established(seen: BgpSummaries, spec: LabSpec) -> bool:
    due = {node.address for node in derived.bgp_nodes(spec)}
    return all(
        due <= {peer.address for peer in summary.peers if peer.state == "Established"}
        for summary in seen.by_router.values()
    )


def _all_routed(seen: RouterRoutes, spec: LabSpec) -> bool:
    return all(
        (route := table.to(node.pod_cidr)) is not None and route.gateways == {node.address}
        for table in seen.by_router.values()
        for node in derived.bgp_nodes(spec)
    )
