"""A mesh at the seams: clusters of objects whose agents answer as Cilium 1.17 does, from all clusters' objects."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import Any

from fake_seams import FakeCluster

from bgplab.errors import CommandFailed
from bgplab.lab.cluster import Kind, Manifest
from bgplab.lab.model import Lab
from bgplab.lab.shell import Completed
from bgplab.observe.mesh_nodes import CONTROL_PLANE
from bgplab.observe.mesh_services import parse_mesh_service
from bgplab.spec.model import ClusterSpec, LabSpec


class FakeMeshCluster(FakeCluster):
    """Pods come and go with the Deployment's replicas; DaemonSets and Deployments are always rolled out."""

    def __init__(self, described: ClusterSpec) -> None:
        super().__init__()
        self.name, self.described = described.name, described
        self.mesh: dict[str, FakeMeshCluster] = {}
        self.deleted: list[str] = []
        for node in described.nodes:
            taints = [{"key": CONTROL_PLANE, "effect": "NoSchedule"}] if node.control_plane else []
            self.put(
                {
                    "kind": "Node",
                    "metadata": {"name": node.name},
                    "spec": {"podCIDR": str(node.pod_cidr), "taints": taints},
                    "status": {
                        "addresses": [{"type": "InternalIP", "address": str(node.address)}],
                        "conditions": [{"type": "Ready", "status": "True"}],
                    },
                }
            )

    def get(self, kind: Kind, name: str, namespace: str | None = None) -> Manifest | None:
        found = super().get(kind, name, namespace)
        if found and kind.kind in ("DaemonSet", "Deployment"):
            count = len(self.described.nodes)
            found["status"] = {
                "observedGeneration": 1,
                "desiredNumberScheduled": count,
                "updatedNumberScheduled": count,
                "numberAvailable": count,
                "readyReplicas": 1,
            }
        return found

    def list(self, kind: Kind, namespace: str | None = None, *, labels: str = "", fields: str = "") -> list[Manifest]:
        if kind.kind == "Pod" and labels == "k8s-app=cilium":
            installed = ("DaemonSet", "cilium") in self.objects
            return [self._agent(node.name) for node in self.described.nodes] if installed else []
        if kind.kind == "EndpointSlice":
            return [self._slice()]
        return [each for each in super().list(kind, namespace) if not labels or kind.kind != "Pod"]

    def create(self, manifest: Manifest) -> Manifest:
        self.put(manifest)
        return manifest

    def delete(self, kind: Kind, name: str, namespace: str | None = None, **options: Any) -> None:
        if self.objects.pop((kind.kind, name), None):
            self.deleted.append(f"{kind.kind} {name}")

    def exec(self, pod: str, argv: Sequence[str], **options: Any) -> Completed:
        words = list(argv)
        if words[:2] == ["cilium-dbg", "status"]:
            return self._said(words, {"cilium": {"state": "Ok"}, "cluster-mesh": {"clusters": self._remotes()}})
        if words[:3] == ["cilium-dbg", "service", "list"]:
            return self._said(words, self._services())
        raise CommandFailed(self.name, argv, 127, "", f"{shlex.join(argv)} is not played here")

    def _said(self, words: Sequence[str], value: Any) -> Completed:
        return Completed(tuple(words), 0, json.dumps(value), "", 0.001)

    def _remotes(self) -> list[dict[str, Any]]:
        told = (self.objects.get(("Secret", "cilium-clustermesh")) or {}).get("data") or {}
        return [{"name": name, "ready": True, "connected": True} for name in told if name in self.mesh]

    @property
    def service(self) -> Manifest | None:
        return self.objects.get(("Service", self.described.app.name))

    def backends(self) -> list[str]:
        replicas = (self.objects.get(("Deployment", self.described.app.name)) or {}).get("spec", {}).get("replicas", 0)
        return [str(node.pod_cidr[11]) for node in self.described.nodes][:replicas]

    def _slice(self) -> Manifest:
        homes = {str(node.pod_cidr[11]): node.name for node in self.described.nodes}
        entries = [
            {"addresses": [ip], "nodeName": homes[ip], "targetRef": {"name": f"webpod-{homes[ip]}"}}
            for ip in self.backends()
        ]
        return {"kind": "EndpointSlice", "addressType": "IPv4", "endpoints": entries}

    def _services(self) -> list[dict[str, Any]]:
        if self.service is None:
            return []
        own = parse_mesh_service(self.service)
        remote: list[str] = []
        for other in self.mesh.values():
            theirs = parse_mesh_service(other.service) if other is not self and other.service else None
            if own.is_global and theirs and theirs.is_global and theirs.shared:
                remote += other.backends()
        listed = [(ip, own.affinity == "local") for ip in self.backends()]
        listed += [(ip, own.affinity == "remote") for ip in remote]
        backends = [{"ip": ip, "port": 80, "state": "active", "preferred": preferred} for ip, preferred in listed]
        front = {"ip": str(self.described.service_cidr[77]), "port": 80}
        one = {"frontend-address": front, "backend-addresses": backends}
        return [{"spec": one, "status": {"realized": one}}]

    def _agent(self, node: str) -> Manifest:
        conditions = [{"type": "Ready", "status": "True"}]
        return {
            "kind": "Pod",
            "metadata": {"name": f"cilium-{node}", "namespace": "kube-system"},
            "spec": {"nodeName": node},
            "status": {"phase": "Running", "conditions": conditions},
        }

    def apply(self, manifest: Manifest, *, field_manager: str = "bgp-lab") -> Manifest:
        applied = super().apply(manifest, field_manager=field_manager)
        if manifest["kind"] == "Service" and manifest["metadata"]["name"] == self.described.app.name:
            applied["spec"]["clusterIP"] = str(self.described.service_cidr[77])
        if manifest["kind"] == "Pod":
            applied["status"] = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        return applied

    def patch(self, kind: Kind, name: str, patch: Any, namespace: str | None = None, **options: Any) -> Manifest:
        return without_nulls(super().patch(kind, name, patch, namespace, **options))


def without_nulls(value: Any) -> Any:
    """A merge patch takes away what it sets to null."""
    if isinstance(value, dict):
        for key in [key for key, part in value.items() if part is None]:
            del value[key]
        for part in value.values():
            without_nulls(part)
    return value


def fake_mesh(spec: LabSpec) -> tuple[Lab, dict[str, FakeMeshCluster]]:
    clusters = {described.name: FakeMeshCluster(described) for described in spec.clusters}
    for cluster in clusters.values():
        cluster.mesh = clusters
    return Lab("fake", {}, clusters), clusters  # type: ignore[arg-type]
