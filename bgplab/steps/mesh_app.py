"""The application in every cluster: room for it, the global Service, and clients (M07 to M09)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from bgplab.lab.cluster import NODE, POD, Cluster, Manifest
from bgplab.lab.model import Lab
from bgplab.lab.waiting import Deadline, wait_until
from bgplab.observe.endpoint_slices import read_endpoints
from bgplab.observe.mesh_nodes import CONTROL_PLANE
from bgplab.observe.pods import read_pods, states_of
from bgplab.spec.manifests import sample_app, workloads
from bgplab.spec.mesh_manifests import made_global
from bgplab.spec.model import App, ClusterSpec, LabSpec
from bgplab.steps.mesh_clusters import delete_all, in_agent, in_client, in_each, kubectl, kubectl_apply_in, told
from bgplab.steps.objects import apply_what_differs
from bgplab.steps.outcome import Outcome

TAINT = f"{CONTROL_PLANE}:NoSchedule"

# Untaint (M07) -------------------------------------------------------------------------------------------------------


def plan_untaint(spec: LabSpec) -> list[str]:
    return [
        kubectl(cluster, "taint", "nodes", node.name, f"{TAINT}-")
        for cluster in spec.clusters
        for node in cluster.nodes
        if node.control_plane
    ]


def untaint(lab: Lab, spec: LabSpec, deadline: Deadline) -> Outcome:
    """Pods may run on control-plane nodes, too (M07). Repeatable."""

    def remove(cluster: Cluster, described: ClusterSpec) -> list[str]:
        return [node for node in _control_planes(described) if _without_taint(cluster, node)]

    return _tainted(in_each(lab, spec, remove), plan_untaint(spec), f"{TAINT} removed from")


def taint_again(lab: Lab, spec: LabSpec, deadline: Deadline) -> Outcome:
    """Undo of M07. Pods that run there stay. Repeatable."""

    def add(cluster: Cluster, described: ClusterSpec) -> list[str]:
        return [node for node in _control_planes(described) if _with_taint(cluster, node)]

    commands = [command.removesuffix("-") for command in plan_untaint(spec)]
    return _tainted(in_each(lab, spec, add), commands, f"{TAINT} put on")


def _tainted(changed: dict[str, list[str]], commands: list[str], what: str) -> Outcome:
    nodes = [node for listed in changed.values() for node in listed]
    if not nodes:
        return Outcome.already(f"{what} every control-plane node", commands)
    return Outcome.changed(f"{what} {', '.join(nodes)}", commands)


def _control_planes(described: ClusterSpec) -> list[str]:
    return [node.name for node in described.nodes if node.control_plane]


def _taints(cluster: Cluster, node: str) -> list[dict[str, str]]:
    found = cluster.get(NODE, node) or {}
    return list((found.get("spec") or {}).get("taints") or [])


def _without_taint(cluster: Cluster, node: str) -> bool:
    taints = _taints(cluster, node)
    kept = [taint for taint in taints if (taint["key"], taint["effect"]) != tuple(TAINT.split(":"))]
    if len(kept) < len(taints):
        cluster.patch(NODE, node, {"spec": {"taints": kept or None}})
    return len(kept) < len(taints)


def _with_taint(cluster: Cluster, node: str) -> bool:
    key, effect = TAINT.split(":")
    taints = _taints(cluster, node)
    if any((taint["key"], taint["effect"]) == (key, effect) for taint in taints):
        return False
    cluster.patch(NODE, node, {"spec": {"taints": [*taints, {"key": key, "effect": effect}]}})
    return True


# Global service (M08) ------------------------------------------------------------------------------------------------


def plan_app(spec: LabSpec) -> list[str]:
    lines = []
    for cluster in spec.clusters:
        label = f"app={cluster.app.name}"
        lines += [
            kubectl_apply_in(cluster, _app(cluster)),
            kubectl(cluster, "get", "svc", "-l", label),
            kubectl(cluster, "get", "pods", "-l", label, "-o", "wide"),
            in_agent(cluster, "service", "list", "--clustermesh-affinity"),
        ]
    return lines


def deploy_global_service(lab: Lab, spec: LabSpec, deadline: Deadline) -> Outcome:
    """The application with a global Service in every cluster; waits until all pods are ready (M08). Repeatable.

    What later steps add to the Service (its affinity) stays.
    """

    def deploy(cluster: Cluster, described: ClusterSpec) -> list[str]:
        app = described.app
        applied = apply_what_differs(cluster, _app(described))
        wait_until(
            partial(_ready_endpoints, cluster, app),
            holds=lambda seen: seen.ready == app.replicas,
            within=deadline,
            what=f"{described.name}: {app.replicas} ready endpoints of {app.name}",
        )
        return applied

    applied = in_each(lab, spec, deploy)
    ready = "; ".join(f"{each.name}: {each.app.replicas} pods of {each.app.name}" for each in spec.clusters)
    what, commands = f"{ready} ready, Services global", plan_app(spec)
    return Outcome.changed(what, commands) if any(applied.values()) else Outcome.already(what, commands)


@dataclass(frozen=True, slots=True)
class _EndpointsSeen:
    """ready: how many. waiting: what keeps those pods that are not, in words."""

    ready: int
    waiting: tuple[str, ...]

    def __str__(self) -> str:
        return "; ".join([str(self.ready), *self.waiting])


def _ready_endpoints(cluster: Cluster, app: App) -> _EndpointsSeen:
    waiting = states_of(pod for pod in read_pods(cluster, app.namespace).of_app(app.name) if not pod.ready)
    return _EndpointsSeen(len(read_endpoints(cluster, app.name, app.namespace).ready), tuple(waiting))


def remove_app(lab: Lab, spec: LabSpec, deadline: Deadline) -> Outcome:
    """Undo of M08: no pods, no Service. Repeatable."""

    def remove(cluster: Cluster, described: ClusterSpec) -> list[str]:
        app = described.app
        gone = delete_all(cluster, _app(described))
        wait_until(
            lambda: [pod for pod in read_pods(cluster, app.namespace).pods if pod.labels.get("app") == app.name],
            holds=lambda pods: not pods,
            within=deadline,
            what=f"{described.name}: no pod of {app.name}",
        )
        return gone

    gone = in_each(lab, spec, remove)
    what = f"deleted: {told(dict(gone))}"
    return Outcome.changed(what) if any(gone.values()) else Outcome.already(what)


def _app(cluster: ClusterSpec) -> list[Manifest]:
    *app, _ = sample_app(cluster)
    return [*(made_global(manifest) for manifest in app), *workloads(cluster)]


# Clients (M09) -------------------------------------------------------------------------------------------------------


def plan_clients(spec: LabSpec) -> list[str]:
    lines = []
    for cluster in spec.clusters:
        lines.append(kubectl_apply_in(cluster, [_client(cluster)]))
        lines.append(in_client(cluster, "curl", "-s", "--connect-timeout", "1", cluster.app.name))
    return lines


def deploy_clients(lab: Lab, spec: LabSpec, deadline: Deadline) -> Outcome:
    """A client pod in every cluster; waits until it runs (M09). Repeatable."""

    def deploy(cluster: Cluster, described: ClusterSpec) -> list[str]:
        app = described.app
        applied = apply_what_differs(cluster, [_client(described)])
        wait_until(
            lambda: read_pods(cluster, app.namespace).named(app.client),
            holds=lambda pod: pod is not None and pod.ready,
            within=deadline,
            what=f"{described.name}: {app.client} runs",
        )
        return applied

    applied = in_each(lab, spec, deploy)
    what = "; ".join(f"{each.name}: {each.app.client} runs" for each in spec.clusters)
    commands = plan_clients(spec)
    return Outcome.changed(what, commands) if any(applied.values()) else Outcome.already(what, commands)


def remove_clients(lab: Lab, spec: LabSpec, deadline: Deadline) -> Outcome:
    """Undo of M09. Repeatable."""

    def remove(cluster: Cluster, described: ClusterSpec) -> list[str]:
        app = described.app
        if cluster.get(POD, app.client, app.namespace) is None:
            return []
        cluster.delete(POD, app.client, app.namespace)
        wait_until(
            partial(cluster.get, POD, app.client, app.namespace),
            holds=lambda pod: pod is None,
            within=deadline,
            what=f"{described.name}: no {app.client}",
        )
        return [f"Pod {app.client}"]

    gone = in_each(lab, spec, remove)
    what = f"deleted: {told(dict(gone))}"
    return Outcome.changed(what) if any(gone.values()) else Outcome.already(what)


def _client(cluster: ClusterSpec) -> Manifest:
    *_, client = sample_app(cluster)
    return client
