"""Parts that many of Cilium's objects are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bgplab.spec.manifest_files import Manifest
from bgplab.spec.model import ClusterSpec, LabSpec

NAMESPACE = "kube-system"


def service_account(name: str) -> Manifest:
    return system_object("v1", "ServiceAccount", name)


def system_object(api_version: str, kind: str, name: str, labels: Mapping[str, str] | None = None) -> Manifest:
    metadata = {"name": name, "namespace": NAMESPACE} | ({"labels": dict(labels)} if labels else {})
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def secret(name: str, data: Mapping[str, str], type: str = "Opaque") -> Manifest:
    return system_object("v1", "Secret", name) | {"type": type, "data": dict(data)}


def template(labels: Mapping[str, str], pod: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"labels": dict(labels)}, "spec": pod}


def env_from_field(name: str, path: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}


def env_from_config(name: str, key: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {"configMapKeyRef": {"name": "cilium-config", "key": key}}}


def projected(name: str) -> dict[str, Any]:
    """A volume of one Secret's files, for their owner alone."""
    return {"defaultMode": 0o400, "sources": [{"secret": {"name": name}}]}


def other_pods(spec: LabSpec, cluster: ClusterSpec) -> list[str]:
    return [str(other.pod_cidr) for other in spec.clusters if other.name != cluster.name]


def image_of(name: str, cluster: ClusterSpec) -> str:
    """The tag is the version as described: one without a patch number (`v1.18`) stands for the newest patch.

    What agents do and what is known of their release goes by this tag; `.0` would be a release with bugs of its own.
    """
    return f"{name}:v{cluster.cilium_version}"
