"""Node → CiliumNode: addresses, pod CIDRs, labels and annotations, as each node's agent keeps its own."""

from __future__ import annotations

import threading
from ipaddress import ip_network
from typing import Any

from bgplab.backends.embedded.controllers.runtime import Informers, Key, Worker, key_of
from bgplab.lab.cluster import CILIUM_NODE, NODE, Cluster, Manifest

COPIED_ADDRESSES = ("InternalIP", "ExternalIP")


class CiliumNodes:
    """Keeps one CiliumNode per Node. A deleted Node's goes by its owner reference."""

    def __init__(self, cluster: Cluster, informers: Informers, stop: threading.Event) -> None:
        self._cluster = cluster
        self._nodes, self._cilium_nodes = informers.of(NODE), informers.of(CILIUM_NODE)
        worker = Worker("cilium-nodes", self._reconcile, stop, needs=(self._nodes, self._cilium_nodes))
        for informer in (self._nodes, self._cilium_nodes):
            informer.subscribe(lambda old, new: worker.enqueue(key_of(new or old or {})))

    def _reconcile(self, key: Key) -> None:
        _, name = key
        node = self._nodes.get(name)
        if node is None:
            return
        wanted, there = cilium_node_of(node), self._cilium_nodes.get(name)
        if there is None:
            self._cilium_nodes.learn(self._cluster.create(wanted))
        elif _differs(there, wanted):
            metadata = {**there["metadata"], **wanted["metadata"]}
            spec = {**there["spec"], **wanted["spec"]}
            self._cilium_nodes.learn(self._cluster.replace({**there, "metadata": metadata, "spec": spec}))


def cilium_node_of(node: Manifest) -> Manifest:
    """What a Node's CiliumNode says (native routing, IPAM by the Node's pod CIDRs)."""
    metadata = node["metadata"]
    pod_cidrs = pod_cidrs_of(node)
    return {
        "apiVersion": CILIUM_NODE.api_version,
        "kind": CILIUM_NODE.kind,
        "metadata": {
            "name": metadata["name"],
            "labels": dict(metadata.get("labels") or {}),
            "annotations": dict(metadata.get("annotations") or {}),
            "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": metadata["name"], "uid": metadata["uid"]}],
        },
        "spec": {
            "addresses": [
                {"type": address["type"], "ip": address["address"]}
                for address in (node.get("status") or {}).get("addresses") or []
                if address["type"] in COPIED_ADDRESSES
            ]
            + [{"type": "CiliumInternalIP", "ip": cilium_internal_ip(cidr)} for cidr in pod_cidrs],
            "ipam": {"podCIDRs": pod_cidrs},
        },
    }


def pod_cidrs_of(node: Manifest) -> list[str]:
    spec = node.get("spec") or {}
    return spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else [])


def cilium_internal_ip(pod_cidr: str) -> str:
    """The address of a node in its own pod range: here the first one, which is every pod's gateway."""
    return str(ip_network(pod_cidr)[1])


def _differs(there: Manifest, wanted: Manifest) -> bool:
    metadata: dict[str, Any] = there["metadata"]
    return (
        any((metadata.get(name) or {}) != wanted["metadata"][name] for name in ("labels", "annotations"))
        or metadata.get("ownerReferences") != wanted["metadata"]["ownerReferences"]
        or any(there["spec"].get(name) != value for name, value in wanted["spec"].items())
    )
