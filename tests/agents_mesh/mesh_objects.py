"""Kubernetes objects of a small cluster, as the exporter sees them."""

from __future__ import annotations

from typing import Any

from bgplab.lab.cluster import Kind, Manifest

GLOBAL = {"service.cilium.io/global": "true"}


def cilium_node(name: str, address: str, pod_cidr: str) -> Manifest:
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumNode",
        "metadata": {"name": name, "labels": {}},
        "spec": {"addresses": [{"type": "InternalIP", "ip": address}], "ipam": {"podCIDRs": [pod_cidr]}},
    }


def service(name: str = "webpod", annotations: dict[str, str] | None = None, port_name: str | None = None) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "namespace": "default",
            "name": name,
            "annotations": GLOBAL if annotations is None else annotations,
        },
        "spec": {
            "clusterIP": "10.3.7.7",
            "ports": [{"port": 80, "protocol": "TCP"} | ({"name": port_name} if port_name else {})],
        },
    }


def endpoint_slice(*addresses: str, name: str = "webpod", port: str = "", ready: bool = True) -> Manifest:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"namespace": "default", "name": f"{name}-x", "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "ports": [{"name": port, "port": 8080, "protocol": "TCP"}],
        "endpoints": [{"addresses": [one], "nodeName": "n", "conditions": {"ready": ready}} for one in addresses],
    }


def pod(name: str, address: str, **labels: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": "default", "name": name, "labels": labels},
        "spec": {"nodeName": "n"},
        "status": {"phase": "Running", "podIP": address, "hostIP": "172.18.0.4"},
    }


class FakeInformer:
    synced = True

    def __init__(self) -> None:
        self._objects: dict[tuple[str, str], Manifest] = {}
        self._subscribers: list[Any] = []

    def list(self) -> list[Manifest]:
        return list(self._objects.values())

    def get(self, name: str, namespace: str | None = None) -> Manifest | None:
        return self._objects.get((namespace or "", name))

    def wait_synced(self, timeout: float) -> None:
        pass

    def subscribe(self, callback: Any) -> None:
        self._subscribers.append(callback)

    def put(self, manifest: Manifest) -> None:
        key = (manifest["metadata"].get("namespace", ""), manifest["metadata"]["name"])
        old, self._objects[key] = self._objects.get(key), manifest
        for subscriber in self._subscribers:
            subscriber(old, manifest)


class FakeInformers:
    """Objects as a test puts them there."""

    def __init__(self, *manifests: Manifest) -> None:
        self._by_kind: dict[str, FakeInformer] = {}
        self.put(*manifests)

    def of(self, kind: Kind) -> FakeInformer:
        return self._by_kind.setdefault(kind.kind, FakeInformer())

    def put(self, *manifests: Manifest) -> None:
        for manifest in manifests:
            self._by_kind.setdefault(manifest["kind"], FakeInformer()).put(manifest)
