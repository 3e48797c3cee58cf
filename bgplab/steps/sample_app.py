"""The sample application (G03)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from bgplab.lab.cluster import Cluster, Manifest
from bgplab.lab.model import Lab
from bgplab.lab.waiting import Deadline, wait_until
from bgplab.observe.endpoint_slices import read_endpoints
from bgplab.observe.pods import read_pods, states_of
from bgplab.spec import manifests
from bgplab.spec.model import App, LabSpec
from bgplab.spec.typed import in_namespace
from bgplab.steps.objects import apply_what_differs, current
from bgplab.steps.outcome import Outcome, kubectl_apply


@dataclass(frozen=True, slots=True)
class AppSeen:
    """How far the application is. waiting: what keeps those pods that are not ready, in words."""

    ready: tuple[str, ...]
    client: str
    endpoints: int
    waiting: tuple[str, ...] = ()

    def __str__(self) -> str:
        counts = f"{len(self.ready)} pods ready, {self.endpoints} ready endpoints, client pod {self.client}"
        return "; ".join([counts, *self.waiting])

    def is_up(self, replicas: int) -> bool:
        return (len(self.ready), self.client, self.endpoints) == (replicas, "Running", replicas)


def plan(spec: LabSpec) -> list[str]:
    app = spec.cluster.app
    looks = (f"kubectl rollout status deployment {app.name}", "kubectl get pod -o wide", f"kubectl get svc {app.name}")
    return [kubectl_apply(_manifests(spec)), *(in_namespace(look, app.namespace) for look in looks)]


def deploy_app(lab: Lab, spec: LabSpec, deadline: Deadline) -> Outcome:
    """Apply the sample application (and the user's workloads) and wait until all of it is ready. Repeatable.

    What later steps change in the Service (its type and traffic policy) is left as it is.
    """
    app, cluster = spec.cluster.app, lab.cluster
    applied = apply_what_differs(cluster, [_without_what_changes_later(cluster, each) for each in _manifests(spec)])
    seen = wait_until(
        partial(look_at_app, cluster, app),
        holds=lambda seen: seen.is_up(app.replicas),
        within=deadline,
        what=f"{app.replicas} pods of {app.name} ready, {app.client} running",
    )
    what = f"{app.name}: {len(seen.ready)} pods ready, {app.client} {seen.client}"
    return Outcome.changed(what, plan(spec)) if applied else Outcome.already(what, plan(spec))


def look_at_app(cluster: Cluster, app: App) -> AppSeen:
    pods = read_pods(cluster, app.namespace)
    client, of_app = pods.named(app.client), pods.of_app(app.name)
    return AppSeen(
        tuple(pod.name for pod in of_app if pod.ready),
        client.phase if client else "missing",
        len(read_endpoints(cluster, app.name, app.namespace).ready),
        tuple(states_of(pod for pod in (*of_app, *([client] if client else [])) if not pod.ready)),
    )


def _manifests(spec: LabSpec) -> list[Manifest]:
    return [*manifests.sample_app(spec.cluster), *manifests.workloads(spec.cluster)]


def _without_what_changes_later(cluster: Cluster, manifest: Manifest) -> Manifest:
    if manifest["kind"] != "Service" or current(cluster, manifest) is None:
        return manifest
    return {**manifest, "spec": {key: value for key, value in manifest["spec"].items() if key != "type"}}
