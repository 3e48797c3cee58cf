"""Service → Endpoints, the older form of EndpointSlices; nothing but `kubectl get endpoints` looks at it.

So it is written a little later, and once for several changes.
"""

from __future__ import annotations

import threading

from bgplab.backends.embedded.controllers.endpoints import has_endpoints, selects, subsets_of
from bgplab.backends.embedded.controllers.runtime import Informers, Key, Worker, key_of
from bgplab.lab.cluster import POD, SERVICE, Cluster, Kind, Manifest

ENDPOINTS = Kind("v1", "Endpoints", "endpoints")
MANAGED_BY = {"endpoints.kubernetes.io/managed-by": "endpoint-controller"}
DELAY_SECONDS = 0.2


class LegacyEndpoints:
    def __init__(self, cluster: Cluster, informers: Informers, stop: threading.Event) -> None:
        self._cluster = cluster
        self._services, self._pods = informers.of(SERVICE), informers.of(POD)
        self._endpoints = informers.of(ENDPOINTS)
        needs = (self._services, self._pods, self._endpoints)
        self._worker = Worker("legacy-endpoints", self._reconcile, stop, needs=needs)
        self._services.subscribe(lambda old, new: self._enqueue(new or old or {}))
        self._endpoints.subscribe(lambda old, new: self._enqueue(new or old or {}))
        self._pods.subscribe(self._pod_changed)

    def _enqueue(self, named: Manifest) -> None:
        self._worker.enqueue_after(key_of(named), DELAY_SECONDS)

    def _pod_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        for service in self._services.list():
            if any(pod is not None and selects(service, pod) for pod in (old, new)):
                self._enqueue(service)

    def _reconcile(self, key: Key) -> None:
        namespace, name = key
        service, there = self._services.get(name, namespace), self._endpoints.get(name, namespace)
        if service is None:
            if there is not None and is_ours(there):
                self._cluster.delete(ENDPOINTS, name, namespace)
            return
        if not has_endpoints(service):
            return
        subsets = subsets_of(service, self._pods.list())
        if there is None:
            self._endpoints.learn(self._cluster.create(endpoints_for(service) | {"subsets": subsets}))
        elif (there.get("subsets") or []) != subsets:
            self._endpoints.learn(self._cluster.replace({**there, "subsets": subsets}))


def endpoints_for(service: Manifest) -> Manifest:
    namespace, name = key_of(service)
    return {
        "apiVersion": ENDPOINTS.api_version,
        "kind": ENDPOINTS.kind,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {**(service["metadata"].get("labels") or {}), **MANAGED_BY},
        },
    }


def is_ours(endpoints: Manifest) -> bool:
    return MANAGED_BY.items() <= (endpoints["metadata"].get("labels") or {}).items()
