"""Binds pods without a node to one, or says why it cannot (`scheduling.py` decides)."""

from __future__ import annotations

import logging
import threading

from bgplab.backends.embedded.controllers.conditions import find, now
from bgplab.backends.embedded.controllers.events import Recorder
from bgplab.backends.embedded.controllers.pods import is_finished, is_terminating
from bgplab.backends.embedded.controllers.runtime import Informers, Key, Worker, key_of
from bgplab.backends.embedded.controllers.scheduling import place
from bgplab.lab.cluster import NODE, POD, ApiError, Cluster, Manifest

log = logging.getLogger(__name__)

NAME = "default-scheduler"


class Scheduler:
    def __init__(self, cluster: Cluster, informers: Informers, stop: threading.Event, recorder: Recorder) -> None:
        self._cluster, self._recorder = cluster, recorder
        self._pods, self._nodes = informers.of(POD), informers.of(NODE)
        self._assumed: dict[str, str] = {}
        self._worker = Worker("scheduler", self._reconcile, stop, needs=(self._pods, self._nodes))
        self._pods.subscribe(self._pod_changed)
        self._nodes.subscribe(lambda old, new: self._retry_waiting())

    def _pod_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if new is not None and is_waiting(new):
            self._worker.enqueue(key_of(new))
        elif new is None or is_finished(new):
            self._retry_waiting()  # room may have come

    def _retry_waiting(self) -> None:
        for pod in self._pods.list():
            if is_waiting(pod):
                self._worker.enqueue(key_of(pod))

    def _reconcile(self, key: Key) -> None:
        pod = self._pods.get(key[1], key[0])
        if pod is None or not is_waiting(pod) or pod["metadata"]["uid"] in self._assumed:
            return
        placement = place(pod, self._nodes.list(), self._placed())
        if placement.node is None:
            self._report_unschedulable(pod, placement.message)
        else:
            self._bind(pod, placement.node)

    def _placed(self) -> list[Manifest]:
        """Pods on nodes, also those just bound that the watch has not shown yet."""
        pods = [pod for pod in self._pods.list() if not is_finished(pod)]
        unseen = {pod["metadata"]["uid"] for pod in pods if not pod["spec"].get("nodeName")}
        self._assumed = {uid: node for uid, node in self._assumed.items() if uid in unseen}
        return [
            {**pod, "spec": {**pod["spec"], "nodeName": self._assumed[pod["metadata"]["uid"]]}}
            if pod["metadata"]["uid"] in self._assumed
            else pod
            for pod in pods
        ]

    def _bind(self, pod: Manifest, node: str) -> None:
        namespace, name = key_of(pod)
        try:
            self._cluster.create(
                {
                    "apiVersion": "v1",
                    "kind": "Binding",
                    "metadata": {"name": name, "namespace": namespace, "uid": pod["metadata"]["uid"]},
                    "target": {"apiVersion": "v1", "kind": "Node", "name": node},
                }
            )
        except ApiError as refusal:
            if refusal.code in (404, 409):  # gone, or bound already
                return
            raise
        self._assumed[pod["metadata"]["uid"]] = node
        self._recorder.normal(NAME, pod, "Scheduled", f"Successfully assigned {namespace}/{name} to {node}")

    def _report_unschedulable(self, pod: Manifest, message: str) -> None:
        self._recorder.warning(NAME, pod, "FailedScheduling", message)
        there = find((pod.get("status") or {}).get("conditions"), "PodScheduled")
        if there is not None and (there.get("reason"), there.get("message")) == ("Unschedulable", message):
            return
        namespace, name = key_of(pod)
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": message,
            "lastTransitionTime": now(),
        }
        patch = {"status": {"conditions": [condition]}}
        log.info("pod %s/%s: %s", namespace, name, message)
        self._cluster.patch(POD, name, patch, namespace, type="strategic", subresource="status")


def is_waiting(pod: Manifest) -> bool:
    """Waits for this scheduler to find it a node."""
    spec = pod["spec"]
    ours = spec.get("schedulerName", NAME) == NAME
    return ours and not spec.get("nodeName") and not is_terminating(pod) and not is_finished(pod)
