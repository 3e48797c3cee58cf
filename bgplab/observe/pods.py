"""`kubectl get pods -o wide`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from bgplab.lab.cluster import POD, Cluster, Manifest


@dataclass(frozen=True, slots=True)
class PodSeen:
    """A Pod object. A pod that is being deleted has `deleting` set and still counts as Running in its phase."""

    name: str
    namespace: str
    node: str | None
    address: IPv4Address | None
    phase: str
    ready: bool
    deleting: bool
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Pods:
    """The pods of one namespace."""

    pods: tuple[PodSeen, ...]

    def of_app(self, name: str) -> tuple[PodSeen, ...]:
        """Pods with the label app=name that are not being deleted."""
        return tuple(pod for pod in self.pods if pod.labels.get("app") == name and not pod.deleting)

    def named(self, name: str) -> PodSeen | None:
        return next((pod for pod in self.pods if pod.name == name), None)


def read_pods(cluster: Cluster, namespace: str, labels: str = "") -> Pods:
    return Pods(tuple(parse_pod(item) for item in cluster.list(POD, namespace, labels=labels)))


def parse_pod(item: Manifest) -> PodSeen:
    metadata, spec, status = item["metadata"], item.get("spec", {}), item.get("status", {})
    address = status.get("podIP")
    return PodSeen(
        metadata["name"],
        metadata.get("namespace", "default"),
        spec.get("nodeName"),
        IPv4Address(address) if address else None,
        status.get("phase", "Pending"),
        any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", [])),
        bool(metadata.get("deletionTimestamp")),
        dict(metadata.get("labels") or {}),
    )
