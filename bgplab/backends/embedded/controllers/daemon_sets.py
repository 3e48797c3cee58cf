"""DaemonSet → one Pod per fitting node, bound by the scheduler through a node affinity as in a real cluster.

A changed template replaces its pods: on as many nodes at a time as `maxUnavailable` says, others first become ready.
Not done: ControllerRevisions, maxSurge.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable
from typing import Any

from bgplab.backends.embedded.controllers.claims import claimed, concerned
from bgplab.backends.embedded.controllers.conditions import status_patch
from bgplab.backends.embedded.controllers.events import Recorder
from bgplab.backends.embedded.controllers.pods import (
    is_active,
    is_ready,
    is_terminating,
    pod_from_template,
)
from bgplab.backends.embedded.controllers.rollout import template_hash
from bgplab.backends.embedded.controllers.runtime import Informers, Key, Worker, key_of
from bgplab.backends.embedded.controllers.scheduling import node_name_affinity, obstacle_on, pinned_node
from bgplab.lab.cluster import DAEMON_SET, NODE, POD, Cluster, Manifest

COMPONENT = "daemonset-controller"
HASH_LABEL = "controller-revision-hash"
ZEROS = ("currentNumberScheduled", "desiredNumberScheduled", "numberMisscheduled", "numberReady")
TOLERATED = ("not-ready", "unreachable", "disk-pressure", "memory-pressure", "pid-pressure", "unschedulable")


class DaemonSets:
    def __init__(self, cluster: Cluster, informers: Informers, stop: threading.Event, recorder: Recorder) -> None:
        self._cluster, self._recorder = cluster, recorder
        self._sets, self._pods, self._nodes = informers.of(DAEMON_SET), informers.of(POD), informers.of(NODE)
        self._worker = Worker("daemon-sets", self._reconcile, stop, needs=(self._sets, self._pods, self._nodes))
        self._sets.subscribe(lambda old, new: self._worker.enqueue(key_of(new or old or {})))
        self._pods.subscribe(self._pod_changed)
        self._nodes.subscribe(self._node_changed)

    def _pod_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        for key in concerned(DAEMON_SET, old, new, self._sets):
            self._worker.enqueue(key)

    def _node_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        for daemon_set in self._sets.list():
            self._worker.enqueue(key_of(daemon_set))

    def _reconcile(self, key: Key) -> None:
        daemon_set = self._sets.get(key[1], key[0])
        if daemon_set is None or "deletionTimestamp" in daemon_set["metadata"]:
            return
        digest = template_hash(daemon_set["spec"]["template"])
        by_node: dict[str, list[Manifest]] = {}
        for pod in claimed(self._cluster, DAEMON_SET, daemon_set, self._pods):
            if node := pinned_node(pod):  # an adopted one may have none yet
                by_node.setdefault(node, []).append(pod)
        nodes = self._nodes.list()
        fitting = fitting_nodes(daemon_set, nodes)
        for node in fitting:
            if node not in by_node:
                by_node[node] = [self._create(daemon_set, node, digest)]
        self._delete_surplus(daemon_set, by_node, fitting, staying_nodes(daemon_set, nodes), digest)
        self._write_status(daemon_set, by_node, fitting, digest)

    def _create(self, daemon_set: Manifest, node: str, digest: str) -> Manifest:
        pod = self._cluster.create(daemon_pod(daemon_set, node, digest))
        self._pods.learn(pod)
        self._recorder.normal(COMPONENT, daemon_set, "SuccessfulCreate", f"Created pod: {pod['metadata']['name']}")
        return pod

    def _delete_surplus(
        self,
        daemon_set: Manifest,
        by_node: dict[str, list[Manifest]],
        fitting: list[str],
        staying: list[str],
        digest: str,
    ) -> None:
        """Pods on nodes where they may not stay, finished ones, a node's second; a few at a time, an old template's."""
        unready = [node for node in fitting if not any(is_ready(pod) and is_active(pod) for pod in by_node[node])]
        budget = max_unavailable(daemon_set, len(fitting)) - len(unready)
        on_delete = (daemon_set["spec"].get("updateStrategy") or {}).get("type") == "OnDelete"
        for node, pods in by_node.items():
            oldest = min(filter(is_active, pods), key=_seniority, default=None)
            for pod in pods:
                if is_terminating(pod):
                    continue
                outdated = pod["metadata"]["labels"].get(HASH_LABEL) != digest and not on_delete
                # An old pod that is not ready is missed by nobody (Kubernetes replaces those first, too).
                due = outdated and (budget > 0 or node in unready)
                if node in staying and is_active(pod) and not due and pod is oldest:
                    continue
                namespace, name = key_of(pod)
                self._cluster.delete(POD, name, namespace)
                self._recorder.normal(COMPONENT, daemon_set, "SuccessfulDelete", f"Deleted pod: {name}")
                budget -= node not in unready

    def _write_status(
        self, daemon_set: Manifest, by_node: dict[str, list[Manifest]], fitting: list[str], digest: str
    ) -> None:
        wanted = status_of(daemon_set, by_node, fitting, digest)
        patch = status_patch(daemon_set.get("status") or {}, wanted, zeros=ZEROS)
        if patch is not None:
            namespace, name = key_of(daemon_set)
            answer = self._cluster.patch(DAEMON_SET, name, {"status": patch}, namespace, subresource="status")
            self._sets.learn(answer)


def _seniority(pod: Manifest) -> tuple[bool, str]:
    """Least for the pod that stays when a node has several, as adopted ones may make it: bound, then oldest."""
    return not pod["spec"].get("nodeName"), pod["metadata"].get("creationTimestamp", "")


def fitting_nodes(daemon_set: Manifest, nodes: Iterable[Manifest]) -> list[str]:
    """Names of those that shall have a pod of this DaemonSet: by the affinity that the template itself asks for."""
    return _without_obstacle(nodes, _asking(daemon_set))


def staying_nodes(daemon_set: Manifest, nodes: Iterable[Manifest]) -> list[str]:
    """Names of those where a pod that is there may stay: a NoSchedule taint turns away new ones only."""
    asking = _asking(daemon_set)
    tolerations = [*asking["spec"]["tolerations"], {"operator": "Exists", "effect": "NoSchedule"}]
    return _without_obstacle(nodes, {**asking, "spec": {**asking["spec"], "tolerations": tolerations}})


def _asking(daemon_set: Manifest) -> Manifest:
    pod = daemon_pod(daemon_set, "", "")
    affinity = daemon_set["spec"]["template"]["spec"].get("affinity") or {}
    return {**pod, "spec": {**pod["spec"], "affinity": affinity}}


def _without_obstacle(nodes: Iterable[Manifest], pod: Manifest) -> list[str]:
    return [node["metadata"]["name"] for node in nodes if obstacle_on(node, pod) is None]


def max_unavailable(daemon_set: Manifest, nodes: int) -> int:
    """On how many nodes at once a changed template may replace the pod; a percentage is rounded up. 1 when unsaid."""
    strategy = daemon_set["spec"].get("updateStrategy") or {}
    value = (strategy.get("rollingUpdate") or {}).get("maxUnavailable", 1)
    if isinstance(value, str) and value.endswith("%"):
        return math.ceil(int(value[:-1]) * nodes / 100)
    return int(value)


def daemon_pod(daemon_set: Manifest, node: str, digest: str) -> Manifest:
    pod = pod_from_template(daemon_set, daemon_set["spec"]["template"], {HASH_LABEL: digest})
    spec = pod["spec"]
    tolerations: list[dict[str, Any]] = [
        *(spec.get("tolerations") or []),
        *(
            {"key": f"node.kubernetes.io/{name}", "operator": "Exists", "effect": effect}
            for name in TOLERATED
            for effect in (("NoExecute",) if name in ("not-ready", "unreachable") else ("NoSchedule",))
        ),
        {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoSchedule"},
    ]
    affinity = {**(spec.get("affinity") or {}), "nodeAffinity": node_name_affinity(node)}
    return {**pod, "spec": {**spec, "tolerations": tolerations, "affinity": affinity}}


def status_of(
    daemon_set: Manifest, by_node: dict[str, list[Manifest]], fitting: list[str], digest: str
) -> dict[str, int]:
    present = [node for node in fitting if by_node.get(node)]
    ready = [node for node in present if any(map(is_ready, by_node[node]))]
    updated = [
        node for node in present if any(pod["metadata"]["labels"].get(HASH_LABEL) == digest for pod in by_node[node])
    ]
    return {
        "observedGeneration": daemon_set["metadata"].get("generation", 1),
        "desiredNumberScheduled": len(fitting),
        "currentNumberScheduled": len(present),
        "numberMisscheduled": len([node for node, pods in by_node.items() if node not in fitting and pods]),
        "numberReady": len(ready),
        "updatedNumberScheduled": len(updated),
        "numberAvailable": len(ready),
        "numberUnavailable": len(fitting) - len(ready),
    }
