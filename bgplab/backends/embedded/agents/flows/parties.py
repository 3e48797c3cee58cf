"""Who has which address: pods with their identity as Cilium sees it, nodes, and the rest of the world. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from bgplab.lab.cluster import Manifest

HOST, WORLD, REMOTE_NODE = 1, 2, 6  # Cilium's reserved identities
_NAMESPACE_LABEL = "io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name"


@dataclass(frozen=True, slots=True)
class Party:
    """One end of a flow. `node` is where it lives, "" for the world; `workloads` are (kind, name)."""

    identity: int
    labels: tuple[str, ...]
    node: str = ""
    namespace: str = ""
    pod: str = ""
    workloads: tuple[tuple[str, str], ...] = ()

    @property
    def endpoint_id(self) -> int:
        """A number for the pod on its node, as Cilium gives; made from its name, so that it stays."""
        return 1 + zlib.crc32(f"{self.namespace}/{self.pod}".encode()) % 65535


THE_WORLD = Party(WORLD, ("reserved:world",))

Book = Mapping[IPv4Address, Party]


def book_of(pods: Iterable[Manifest], nodes: Iterable[Manifest], cluster: str) -> Book:
    """Everybody by address. A pod in its node's network is the node."""
    book: dict[IPv4Address, Party] = {}
    for node in nodes:
        for address in (node.get("status") or {}).get("addresses") or ():
            if address.get("type") == "InternalIP":
                book[IPv4Address(address["address"])] = Party(
                    HOST, ("reserved:host",), node["metadata"]["name"]
                )  # fmt: skip
    for pod in pods:
        address = (pod.get("status") or {}).get("podIP")
        if address and not pod["spec"].get("hostNetwork") and pod["status"].get("phase") not in ("Succeeded", "Failed"):
            book[IPv4Address(address)] = _pod(pod, cluster)
    return book


def as_seen_from(node: str, party: Party) -> Party:
    """Another node than the one that looks is `reserved:remote-node`."""
    if party.identity == HOST and party.node != node:
        return Party(REMOTE_NODE, ("reserved:remote-node",), party.node)
    return party


def _pod(pod: Manifest, cluster: str) -> Party:
    metadata = pod["metadata"]
    namespace = metadata.get("namespace", "")
    said = dict(metadata.get("labels") or {})
    said.pop("pod-template-hash", None)  # not a label of the identity, by Cilium's default filter
    said |= {
        _NAMESPACE_LABEL: namespace,
        "io.cilium.k8s.policy.cluster": cluster,
        "io.cilium.k8s.policy.serviceaccount": pod["spec"].get("serviceAccountName") or "default",
        "io.kubernetes.pod.namespace": namespace,
    }
    labels = tuple(sorted(f"k8s:{key}={value}" for key, value in said.items()))
    return Party(
        identity=_identity(labels),
        labels=labels,
        node=pod["spec"].get("nodeName") or "",
        namespace=namespace,
        pod=metadata["name"],
        workloads=tuple(_workload(pod, owner) for owner in metadata.get("ownerReferences") or ()),
    )


def _identity(labels: tuple[str, ...]) -> int:
    """A number for a set of labels: Cilium allocates from 256 to 65535; made from the labels, nobody need allocate."""
    return 256 + zlib.crc32("\n".join(labels).encode()) % (65536 - 256)


def _workload(pod: Manifest, owner: Manifest) -> tuple[str, str]:
    """A ReplicaSet's name without its hash is the Deployment's, which is what Hubble shows."""
    kind, name = owner["kind"], owner["name"]
    suffix = "-" + ((pod["metadata"].get("labels") or {}).get("pod-template-hash") or "")
    if kind == "ReplicaSet" and len(suffix) > 1 and name.endswith(suffix):
        return "Deployment", name.removesuffix(suffix)
    return kind, name
