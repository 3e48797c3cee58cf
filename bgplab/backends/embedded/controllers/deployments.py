"""Deployment → ReplicaSets: one per pod template, scaled step by step from the old ones to the new one.

Not done: proportional scaling during a rollout, progress deadlines.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Any

from bgplab.backends.embedded.controllers.claims import claimed, concerned, is_claimable
from bgplab.backends.embedded.controllers.conditions import Condition, find, now, status_patch, with_condition
from bgplab.backends.embedded.controllers.events import Recorder
from bgplab.backends.embedded.controllers.pods import controller_reference
from bgplab.backends.embedded.controllers.rollout import (
    Sizes,
    limits_of,
    next_sizes,
    recreate_sizes,
    template_hash,
)
from bgplab.backends.embedded.controllers.runtime import Informers, Key, Worker, key_of
from bgplab.lab.cluster import DEPLOYMENT, REPLICA_SET, ApiError, Cluster, Manifest

log = logging.getLogger(__name__)

COMPONENT = "deployment-controller"
REVISION = "deployment.kubernetes.io/revision"
HASH_LABEL = "pod-template-hash"


class Deployments:
    def __init__(self, cluster: Cluster, informers: Informers, stop: threading.Event, recorder: Recorder) -> None:
        self._cluster, self._recorder = cluster, recorder
        self._deployments, self._sets = informers.of(DEPLOYMENT), informers.of(REPLICA_SET)
        self._worker = Worker("deployments", self._reconcile, stop, needs=(self._deployments, self._sets))
        self._deployments.subscribe(lambda old, new: self._worker.enqueue(key_of(new or old or {})))
        self._sets.subscribe(self._set_changed)

    def _set_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        for key in concerned(DEPLOYMENT, old, new, self._deployments):
            self._worker.enqueue(key)

    def _reconcile(self, key: Key) -> None:
        deployment = self._deployments.get(key[1], key[0])
        if deployment is None or "deletionTimestamp" in deployment["metadata"]:
            return
        mine = claimed(self._cluster, DEPLOYMENT, deployment, self._sets)
        name = set_name(deployment)
        new = next((one for one in mine if one["metadata"]["name"] == name), None)
        old = sorted((one for one in mine if one is not new), key=_revision)
        if new is None:
            if deployment["spec"].get("paused"):
                return
            new = self._create_set(deployment, name, old)
            if new is None:
                return
        new, old = self._scale(deployment, new, old)
        self._mark_revision(deployment, new, old)
        self._write_status(deployment, new, old)
        self._forget_oldest(deployment, old)

    def _create_set(self, deployment: Manifest, name: str, old: Sequence[Manifest]) -> Manifest | None:
        """None when the name is taken by one that is not ours: the next look is at another name."""
        limits = limits_of(_strategy(deployment), _replicas(deployment))
        recreate = _strategy(deployment).get("type") == "Recreate"
        first = Sizes(name, 0, 0, 0)
        sizes = [_sizes(one) for one in old]
        steps = (
            recreate_sizes(_replicas(deployment), first, sizes)
            if recreate
            else next_sizes(_replicas(deployment), first, sizes, limits)
        )
        revision = max((_revision(one) for one in old), default=0) + 1
        try:
            made = self._cluster.create(replica_set_for(deployment, name, steps.get(name, 0), revision))
        except ApiError as refusal:
            there = self._cluster.get(REPLICA_SET, name, deployment["metadata"]["namespace"])
            if refusal.reason != "AlreadyExists" or there is None:
                raise
            self._sets.learn(there)
            if is_claimable(deployment, there):  # only not seen yet: the retry finds it
                raise
            self._count_collision(deployment)
            return None
        self._sets.learn(made)
        if steps.get(name):
            self._tell_scaled(deployment, name, 0, steps[name])
        return made

    def _count_collision(self, deployment: Manifest) -> None:
        """It changes the name that is tried next."""
        namespace, name = key_of(deployment)
        status = {"collisionCount": _collisions(deployment) + 1}
        answer = self._cluster.patch(DEPLOYMENT, name, {"status": status}, namespace, subresource="status")
        self._deployments.learn(answer)
        self._worker.enqueue((namespace, name))

    def _scale(self, deployment: Manifest, new: Manifest, old: Sequence[Manifest]) -> tuple[Manifest, list[Manifest]]:
        replicas, strategy = _replicas(deployment), _strategy(deployment)
        sizes, new_size = [_sizes(one) for one in old], _sizes(new)
        if strategy.get("type") == "Recreate":
            steps = recreate_sizes(replicas, new_size, sizes)
        else:
            steps = next_sizes(replicas, new_size, sizes, limits_of(strategy, replicas))
        scaled = [self._resize(deployment, one, steps) for one in (new, *old)]
        return scaled[0], scaled[1:]

    def _resize(self, deployment: Manifest, replica_set: Manifest, steps: dict[str, int]) -> Manifest:
        namespace, name = key_of(replica_set)
        if name not in steps:
            return replica_set
        self._tell_scaled(deployment, name, replica_set["spec"].get("replicas", 1), steps[name])
        answer = self._cluster.patch(REPLICA_SET, name, {"spec": {"replicas": steps[name]}}, namespace)
        self._sets.learn(answer)
        return answer

    def _tell_scaled(self, deployment: Manifest, name: str, before: int, after: int) -> None:
        direction = "up" if after > before else "down"
        message = f"Scaled {direction} replica set {name} from {before} to {after}"
        self._recorder.normal(COMPONENT, deployment, "ScalingReplicaSet", message)

    def _mark_revision(self, deployment: Manifest, new: Manifest, old: Sequence[Manifest]) -> None:
        """Number the new ReplicaSet above the old ones (also when an old template came back), and the Deployment."""
        namespace, name = key_of(deployment)
        revision = _revision(new)
        latest = max((_revision(one) for one in old), default=0)
        if revision <= latest:
            revision = latest + 1
            self._annotate(REPLICA_SET, new["metadata"]["name"], namespace, revision)
        if (deployment["metadata"].get("annotations") or {}).get(REVISION) != str(revision):
            self._annotate(DEPLOYMENT, name, namespace, revision)

    def _annotate(self, kind: Any, name: str, namespace: str, revision: int) -> None:
        answer = self._cluster.patch(kind, name, {"metadata": {"annotations": {REVISION: str(revision)}}}, namespace)
        (self._deployments if kind is DEPLOYMENT else self._sets).learn(answer)

    def _write_status(self, deployment: Manifest, new: Manifest, old: Sequence[Manifest]) -> None:
        patch = status_patch(deployment.get("status") or {}, status_of(deployment, new, old), zeros=())
        if patch is not None:
            namespace, name = key_of(deployment)
            answer = self._cluster.patch(DEPLOYMENT, name, {"status": patch}, namespace, subresource="status")
            self._deployments.learn(answer)

    def _forget_oldest(self, deployment: Manifest, old: Sequence[Manifest]) -> None:
        empty = [
            one for one in old if not one["spec"].get("replicas") and not (one.get("status") or {}).get("replicas")
        ]
        surplus = len(empty) - deployment["spec"].get("revisionHistoryLimit", 10)
        for replica_set in empty[: max(0, surplus)]:
            namespace, name = key_of(replica_set)
            self._cluster.delete(REPLICA_SET, name, namespace)


def set_name(deployment: Manifest) -> str:
    """The name its ReplicaSet of the present template has (or would have)."""
    template, collisions = deployment["spec"]["template"], _collisions(deployment)
    digest = template_hash({**template, "collisionCount": collisions} if collisions else template)
    return f"{deployment['metadata']['name']}-{digest}"


def _collisions(deployment: Manifest) -> int:
    return int((deployment.get("status") or {}).get("collisionCount", 0))


def replica_set_for(deployment: Manifest, name: str, replicas: int, revision: int) -> Manifest:
    spec, digest = deployment["spec"], name.rsplit("-", 1)[1]
    template = spec["template"]
    labels = {**((template.get("metadata") or {}).get("labels") or {}), HASH_LABEL: digest}
    selector = spec["selector"]
    return {
        "apiVersion": REPLICA_SET.api_version,
        "kind": REPLICA_SET.kind,
        "metadata": {
            "name": name,
            "namespace": deployment["metadata"]["namespace"],
            "labels": labels,
            "annotations": {
                REVISION: str(revision),
                "deployment.kubernetes.io/desired-replicas": str(spec.get("replicas", 1)),
            },
            "ownerReferences": [controller_reference(deployment)],
        },
        "spec": {
            "replicas": replicas,
            "minReadySeconds": spec.get("minReadySeconds", 0),
            "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), HASH_LABEL: digest}},
            "template": {**template, "metadata": {**(template.get("metadata") or {}), "labels": labels}},
        },
    }


def status_of(deployment: Manifest, new: Manifest, old: Sequence[Manifest]) -> dict[str, Any]:
    """What it says of the pods; fields of others (collisionCount) are not in it."""
    everything = [*old, new]
    replicas = _replicas(deployment)
    total, ready, available = (
        sum((one.get("status") or {}).get(name, 0) for one in everything)
        for name in ("replicas", "readyReplicas", "availableReplicas")
    )
    updated = (new.get("status") or {}).get("replicas", 0)
    conditions = (deployment.get("status") or {}).get("conditions")
    minimum = replicas - (
        limits_of(_strategy(deployment), replicas).unavailable if _strategy(deployment).get("type") != "Recreate" else 0
    )
    complete = updated == replicas and total == replicas and available >= replicas
    for condition in (_available(available >= minimum), _progressing(new, complete)):
        conditions = _with_update_time(conditions, condition)
    return {
        "observedGeneration": deployment["metadata"].get("generation", 1),
        "replicas": total,
        "updatedReplicas": updated,
        "readyReplicas": ready,
        "availableReplicas": available,
        "unavailableReplicas": max(0, max(total, replicas) - available),
        "conditions": conditions,
    }


def _available(enough: bool) -> Condition:
    if enough:
        return Condition("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    text = "Deployment does not have minimum availability."
    return Condition("Available", "False", "MinimumReplicasUnavailable", text)


def _progressing(new: Manifest, complete: bool) -> Condition:
    name = new["metadata"]["name"]
    if complete:
        text = f'ReplicaSet "{name}" has successfully progressed.'
        return Condition("Progressing", "True", "NewReplicaSetAvailable", text)
    return Condition("Progressing", "True", "ReplicaSetUpdated", f'ReplicaSet "{name}" is progressing.')


def _with_update_time(conditions: list[dict[str, Any]] | None, wanted: Condition) -> list[dict[str, Any]]:
    """A Deployment's conditions have a lastUpdateTime as well, and once complete stay so while scaling."""
    there = find(conditions, wanted.type)
    before = there and there.get("reason")
    same_set = there is not None and wanted.message.split('"')[1:2] == there["message"].split('"')[1:2]
    if wanted.type == "Progressing" and before == "NewReplicaSetAvailable" and same_set:
        return conditions or []
    changed = with_condition(conditions, wanted)
    if changed == conditions:
        return changed
    return [{**one, "lastUpdateTime": now()} if one["type"] == wanted.type else one for one in changed]


def _sizes(replica_set: Manifest) -> Sizes:
    status = replica_set.get("status") or {}
    return Sizes(
        replica_set["metadata"]["name"],
        replica_set["spec"].get("replicas", 1),
        status.get("replicas", 0),
        status.get("availableReplicas", 0),
    )


def _revision(replica_set: Manifest) -> int:
    return int((replica_set["metadata"].get("annotations") or {}).get(REVISION, "0"))


def _replicas(deployment: Manifest) -> int:
    return int(deployment["spec"].get("replicas", 1))


def _strategy(deployment: Manifest) -> dict[str, Any]:
    return deployment["spec"].get("strategy") or {}
