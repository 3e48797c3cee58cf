"""ReplicaSet → Pods: as many as wanted, the least useful ones go first."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from bgplab.backends.embedded.controllers.claims import claimed, concerned
from bgplab.backends.embedded.controllers.conditions import status_patch
from bgplab.backends.embedded.controllers.events import Recorder
from bgplab.backends.embedded.controllers.pods import (
    controller_of,
    is_active,
    is_ready,
    phase_of,
    pod_from_template,
    ready_since,
    restarts_of,
)
from bgplab.backends.embedded.controllers.runtime import Informers, Key, Worker, key_of
from bgplab.lab.cluster import POD, REPLICA_SET, Cluster, Manifest

COMPONENT = "replicaset-controller"
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
ZEROS = ("replicas",)
PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


class ReplicaSets:
    def __init__(self, cluster: Cluster, informers: Informers, stop: threading.Event, recorder: Recorder) -> None:
        self._cluster, self._recorder = cluster, recorder
        self._sets, self._pods = informers.of(REPLICA_SET), informers.of(POD)
        self._worker = Worker("replica-sets", self._reconcile, stop, needs=(self._sets, self._pods))
        self._sets.subscribe(lambda old, new: self._worker.enqueue(key_of(new or old or {})))
        self._pods.subscribe(self._pod_changed)

    def _pod_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        for key in concerned(REPLICA_SET, old, new, self._sets):
            self._worker.enqueue(key)

    def _reconcile(self, key: Key) -> float | None:
        replica_set = self._sets.get(key[1], key[0])
        if replica_set is None or "deletionTimestamp" in replica_set["metadata"]:
            return None
        pods = [pod for pod in self._pods.list() if is_active(pod)]
        mine = claimed(self._cluster, REPLICA_SET, replica_set, self._pods, pods)
        missing = replica_set["spec"].get("replicas", 1) - len(mine)
        for _ in range(missing):
            mine.append(self._create(replica_set))
        for pod in doomed(mine, -missing, self._related(replica_set, pods), datetime.now(UTC)):
            self._delete(replica_set, pod)
        return self._write_status(replica_set, mine)

    def _create(self, replica_set: Manifest) -> Manifest:
        pod = self._cluster.create(pod_from_template(replica_set, replica_set["spec"]["template"]))
        self._pods.learn(pod)
        self._recorder.normal(COMPONENT, replica_set, "SuccessfulCreate", f"Created pod: {pod['metadata']['name']}")
        return pod

    def _delete(self, replica_set: Manifest, pod: Manifest) -> None:
        namespace, name = key_of(pod)
        self._cluster.delete(POD, name, namespace)
        self._recorder.normal(COMPONENT, replica_set, "SuccessfulDelete", f"Deleted pod: {name}")

    def _related(self, replica_set: Manifest, pods: Iterable[Manifest]) -> list[Manifest]:
        """Those of (active) pods that are of this ReplicaSet or of its siblings (of the same Deployment)."""
        owner = controller_of(replica_set)
        siblings = [
            one for one in self._sets.list() if owner and (controller_of(one) or {}).get("uid") == owner["uid"]
        ] or [replica_set]
        uids = {one["metadata"]["uid"] for one in siblings}
        return [pod for pod in pods if (controller_of(pod) or {}).get("uid") in uids]

    def _write_status(self, replica_set: Manifest, mine: list[Manifest]) -> float | None:
        moment = datetime.now(UTC)
        min_ready_seconds = replica_set["spec"].get("minReadySeconds", 0)
        wanted = status_of(replica_set, mine, moment)
        patch = status_patch(replica_set.get("status") or {}, wanted, zeros=ZEROS)
        if patch is not None:
            namespace, name = key_of(replica_set)
            answer = self._cluster.patch(REPLICA_SET, name, {"status": patch}, namespace, subresource="status")
            self._sets.learn(answer)
        waiting = wanted["readyReplicas"] > wanted["availableReplicas"]
        return float(min_ready_seconds) if waiting else None


def status_of(replica_set: Manifest, pods: list[Manifest], moment: datetime) -> dict[str, Any]:
    min_ready_seconds = replica_set["spec"].get("minReadySeconds", 0)
    labels = (replica_set["spec"]["template"].get("metadata") or {}).get("labels") or {}
    return {
        "replicas": len(pods),
        "fullyLabeledReplicas": sum(labels.items() <= (pod["metadata"].get("labels") or {}).items() for pod in pods),
        "readyReplicas": sum(map(is_ready, pods)),
        "availableReplicas": sum(is_available(pod, min_ready_seconds, moment) for pod in pods),
        "observedGeneration": replica_set["metadata"].get("generation", 1),
    }


def is_available(pod: Manifest, min_ready_seconds: int, moment: datetime) -> bool:
    """Ready for long enough."""
    if not is_ready(pod):
        return False
    return min_ready_seconds == 0 or _age_seconds(ready_since(pod), moment) >= min_ready_seconds


def doomed(pods: Iterable[Manifest], count: int, related: Iterable[Manifest], moment: datetime) -> list[Manifest]:
    """The pods to delete, as the real controller ranks them (kubernetes: ActivePodsWithRanks).

    First those not bound to a node, then by phase, not ready, lower deletion cost, more related pods on the same node,
    ready for a shorter time, more restarts, younger. Times count by powers of two of their age; then the uid decides.
    """
    if count <= 0:
        return []
    on_node = Counter(pod["spec"].get("nodeName", "") for pod in related)
    return sorted(pods, key=lambda pod: usefulness(pod, on_node, moment))[:count]


def usefulness(pod: Manifest, on_node: Mapping[str, int], moment: datetime) -> tuple[Any, ...]:
    node = pod["spec"].get("nodeName", "")
    return (
        bool(node),
        PHASES.get(phase_of(pod), 0),
        is_ready(pod),
        int((pod["metadata"].get("annotations") or {}).get(DELETION_COST, "0")),
        -on_node[node],
        _age_class(ready_since(pod), moment) if is_ready(pod) else 0,
        -restarts_of(pod),
        _age_class(pod["metadata"].get("creationTimestamp", ""), moment),
        pod["metadata"].get("uid", ""),
    )


def _age_class(since: str, moment: datetime) -> int:
    seconds = _age_seconds(since, moment)
    return int(math.log2(seconds)) + 1 if seconds >= 1 else 0


def _age_seconds(since: str, moment: datetime) -> float:
    return (moment - datetime.fromisoformat(since)).total_seconds() if since else 0.0
