"""Pod → CiliumEndpoint: what each agent writes of the pods that it manages, by which `cilium status` counts them."""

from __future__ import annotations

import threading

from bgplab.backends.embedded.controllers.runtime import Informers, Key, Worker, key_of
from bgplab.lab.cluster import CILIUM_ENDPOINT, POD, Cluster, Manifest


class CiliumEndpoints:
    """Keeps one CiliumEndpoint per pod with an address of its own. A deleted pod's goes by its owner reference."""

    def __init__(self, cluster: Cluster, informers: Informers, stop: threading.Event) -> None:
        self._cluster = cluster
        self._pods, self._endpoints = informers.of(POD), informers.of(CILIUM_ENDPOINT)
        worker = Worker("cilium-endpoints", self._reconcile, stop, needs=(self._pods, self._endpoints))
        for informer in (self._pods, self._endpoints):
            informer.subscribe(lambda old, new: worker.enqueue(key_of(new or old or {})))

    def _reconcile(self, key: Key) -> None:
        namespace, name = key
        pod = self._pods.get(name, namespace)
        if pod is None or not is_managed(pod):
            return
        wanted, there = cilium_endpoint_of(pod), self._endpoints.get(name, namespace)
        if there is None:
            self._endpoints.learn(self._cluster.create(wanted))
        elif there["metadata"].get("ownerReferences") != wanted["metadata"]["ownerReferences"]:
            return  # of a pod of that name before; it goes, and its going brings us back
        elif there.get("status") != wanted["status"]:
            self._endpoints.learn(self._cluster.replace({**there, "status": wanted["status"]}))


def is_managed(pod: Manifest) -> bool:
    """Whether the data path has an endpoint for a pod: not on its node's own network, and not once it has ended."""
    status = pod.get("status") or {}
    ended = status.get("phase") in ("Succeeded", "Failed") or "deletionTimestamp" in pod["metadata"]
    return bool(status.get("podIP")) and not pod["spec"].get("hostNetwork") and not ended


def cilium_endpoint_of(pod: Manifest) -> Manifest:
    metadata, status = pod["metadata"], pod["status"]
    owner = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]}
    return {
        "apiVersion": CILIUM_ENDPOINT.api_version,
        "kind": CILIUM_ENDPOINT.kind,
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "labels": dict(metadata.get("labels") or {}),
            "ownerReferences": [owner],
        },
        "status": {
            "external-identifiers": {
                "k8s-namespace": metadata["namespace"],
                "k8s-pod-name": metadata["name"],
                "pod-name": f"{metadata['namespace']}/{metadata['name']}",
            },
            "networking": {"addressing": [{"ipv4": status["podIP"]}], "node": status.get("hostIP", "")},
            "state": "ready",
        },
    }
