"""Service → EndpointSlices, from which every node's data path learns its backends (`endpoints.py` decides)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from bgplab.backends.embedded.controllers.endpoints import has_endpoints, selects, slices_of
from bgplab.backends.embedded.controllers.pods import controller_reference
from bgplab.backends.embedded.controllers.runtime import Informers, Key, Worker, key_of
from bgplab.lab.cluster import ENDPOINT_SLICE, POD, SERVICE, Cluster, Manifest

SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"


class EndpointSlices:
    """Services without a selector are left alone: their slices are somebody else's."""

    def __init__(self, cluster: Cluster, informers: Informers, stop: threading.Event) -> None:
        self._cluster = cluster
        self._services, self._pods = informers.of(SERVICE), informers.of(POD)
        self._slices = informers.of(ENDPOINT_SLICE)
        needs = (self._services, self._pods, self._slices)
        self._worker = Worker("endpoint-slices", self._reconcile, stop, needs=needs)
        self._services.subscribe(lambda old, new: self._worker.enqueue(key_of(new or old or {})))
        self._pods.subscribe(self._pod_changed)
        self._slices.subscribe(self._slice_changed)

    def _pod_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        for service in self._services.list():
            if any(pod is not None and selects(service, pod) for pod in (old, new)):
                self._worker.enqueue(key_of(service))

    def _slice_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        """Somebody deleted or edited a slice of ours (or the garbage collector did)."""
        if old is not None and is_ours(old):
            self._worker.enqueue((old["metadata"]["namespace"], old["metadata"]["labels"][SERVICE_NAME]))

    def _reconcile(self, key: Key) -> None:
        namespace, name = key
        service = self._services.get(name, namespace)
        if service is not None and has_endpoints(service):
            self._write_slices(service, slices_of(service, self._pods.list()))

    def _write_slices(self, service: Manifest, wanted: Sequence[dict[str, Any]]) -> None:
        """Change the slices there are, in order; make more, or take away, as needed."""
        namespace, name = key_of(service)
        there = sorted(
            (
                manifest
                for manifest in self._slices.list()
                if is_ours(manifest)
                and manifest["metadata"]["namespace"] == namespace
                and manifest["metadata"]["labels"][SERVICE_NAME] == name
            ),
            key=lambda manifest: (manifest["metadata"].get("creationTimestamp", ""), manifest["metadata"]["name"]),
        )
        for manifest, contents in zip(there, wanted, strict=False):
            if _differs(manifest, contents):
                self._slices.learn(self._cluster.replace({**manifest, **contents}))
        for contents in wanted[len(there) :]:
            self._slices.learn(self._cluster.create({**new_slice(service), **contents}))
        for surplus in there[len(wanted) :]:
            self._cluster.delete(ENDPOINT_SLICE, surplus["metadata"]["name"], namespace)


def new_slice(service: Manifest) -> Manifest:
    namespace, name = key_of(service)
    return {
        "apiVersion": ENDPOINT_SLICE.api_version,
        "kind": ENDPOINT_SLICE.kind,
        "metadata": {
            "generateName": f"{name}-",
            "namespace": namespace,
            "labels": {**(service["metadata"].get("labels") or {}), SERVICE_NAME: name, MANAGED_BY: MANAGER},
            "ownerReferences": [controller_reference(service)],
        },
    }


def is_ours(manifest: Manifest) -> bool:
    labels = manifest["metadata"].get("labels") or {}
    return labels.get(MANAGED_BY) == MANAGER and SERVICE_NAME in labels


def _differs(there: Manifest, contents: dict[str, Any]) -> bool:
    return any((there.get(part) or []) != (contents[part] or []) for part in ("endpoints", "ports", "addressType"))
