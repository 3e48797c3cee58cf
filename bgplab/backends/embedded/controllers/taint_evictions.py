"""Pods that do not tolerate a NoExecute taint of their node are deleted, at once or when their time there is over.

Kubernetes' taint-eviction-controller. How long a pod has tolerated a taint is counted from when this one first saw it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bgplab.backends.embedded.controllers.conditions import now
from bgplab.backends.embedded.controllers.events import Recorder
from bgplab.backends.embedded.controllers.pods import is_finished, is_terminating
from bgplab.backends.embedded.controllers.runtime import Informers, Key, Worker, key_of
from bgplab.backends.embedded.controllers.selectors import tolerates
from bgplab.lab.cluster import NODE, POD, ApiError, Cluster, Manifest

COMPONENT = "taint-eviction-controller"


class TaintEvictions:
    def __init__(
        self,
        cluster: Cluster,
        informers: Informers,
        stop: threading.Event,
        recorder: Recorder,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster, self._recorder, self._clock = cluster, recorder, clock
        self._pods, self._nodes = informers.of(POD), informers.of(NODE)
        self._since: dict[str, float] = {}
        self._worker = Worker("taint-evictions", self._reconcile, stop, needs=(self._pods, self._nodes))
        self._pods.subscribe(self._pod_changed)
        self._nodes.subscribe(self._node_changed)

    def _pod_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        pod = new or old or {}
        node = self._nodes.get(pod["spec"].get("nodeName", ""))
        if pod["metadata"]["uid"] in self._since or (node is not None and evicting_taints(node)):
            self._worker.enqueue(key_of(pod))

    def _node_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        before, after = (evicting_taints(node) if node else [] for node in (old, new))
        if before == after:
            return
        for pod in self._pods.list():
            if pod["spec"].get("nodeName") == (new or old or {})["metadata"]["name"]:
                self._worker.enqueue(key_of(pod))

    def _reconcile(self, key: Key) -> float | None:
        pod = self._pods.get(key[1], key[0])
        if pod is None or is_terminating(pod) or is_finished(pod):
            self._forget_gone()
            return None
        node = self._nodes.get(pod["spec"].get("nodeName", ""))
        seconds = tolerated_seconds(pod, evicting_taints(node) if node else [])
        if seconds is None:
            self._since.pop(pod["metadata"]["uid"], None)
            return None
        left = self._since.setdefault(pod["metadata"]["uid"], self._clock()) + seconds - self._clock()
        if left > 0:
            return left
        self._evict(pod)
        return None

    def _forget_gone(self) -> None:
        self._since = {
            pod["metadata"]["uid"]: self._since[pod["metadata"]["uid"]]
            for pod in self._pods.list()
            if pod["metadata"]["uid"] in self._since and not is_terminating(pod)
        }

    def _evict(self, pod: Manifest) -> None:
        namespace, name = key_of(pod)
        self._recorder.normal(COMPONENT, pod, "TaintManagerEviction", f"Marking for deletion Pod {namespace}/{name}")
        condition = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "DeletionByTaintManager",
            "message": "Taint manager: deleting due to NoExecute taint",
            "lastTransitionTime": now(),
        }
        patch = {"metadata": {"uid": pod["metadata"]["uid"]}, "status": {"conditions": [condition]}}
        try:
            self._cluster.patch(POD, name, patch, namespace, type="strategic", subresource="status")
        except ApiError as refusal:
            if refusal.code not in (404, 409):  # gone, or another of this name by now
                raise
            return
        self._cluster.delete(POD, name, namespace)


def evicting_taints(node: Manifest) -> list[dict[str, Any]]:
    return [taint for taint in (node.get("spec") or {}).get("taints") or [] if taint["effect"] == "NoExecute"]


def tolerated_seconds(pod: Manifest, taints: Iterable[Mapping[str, Any]]) -> float | None:
    """How long a pod may stay on a node with these NoExecute taints; None for ever.

    Every taint must be tolerated by some toleration; of all that tolerate one, the shortest time counts.
    """
    tolerations = pod["spec"].get("tolerations") or []
    used: list[Mapping[str, Any]] = []
    for taint in taints:
        fitting = [toleration for toleration in tolerations if tolerates(toleration, taint)]
        if not fitting:
            return 0.0
        used += fitting
    limits = [toleration["tolerationSeconds"] for toleration in used if toleration.get("tolerationSeconds") is not None]
    return max(0.0, float(min(limits))) if limits else None
