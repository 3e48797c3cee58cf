"""What a cluster tells the others: pure, from its Kubernetes objects to the keys and values of its etcd."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from bgplab.backends.embedded.agents.mesh import keys
from bgplab.backends.embedded.agents.mesh.annotations import sharing_of
from bgplab.backends.embedded.agents.mesh.versions import UNNAMED_PORTS_EXPORT_NOTHING, Behaviour
from bgplab.lab.cluster import Manifest

SERVICE_NAME_LABEL = "kubernetes.io/service-name"

#: The first number of a cluster's own that Cilium gives to a set of labels; 16 bits are left for them.
FIRST_IDENTITY, IDENTITIES = 256, 65536

#: Labels that make no identity of their own (Cilium's default label filter, as far as Deployments set them).
NOT_OF_AN_IDENTITY = ("pod-template-hash", "controller-revision-hash", "pod-template-generation")

MAX_CONNECTED_CLUSTERS = 255


@dataclass(frozen=True, slots=True)
class Exporting:
    """Who exports: Cilium's cluster-name and cluster-id, and how its release does it."""

    cluster: str
    cluster_id: int
    behaviour: Behaviour = Behaviour()  # noqa: RUF009 - frozen


def cluster_config(exporting: Exporting) -> dict[str, str]:
    capabilities = {
        "syncedCanaries": True,
        "maxConnectedClusters": MAX_CONNECTED_CLUSTERS,
        "serviceExportsEnabled": False,
    }
    value = {"id": exporting.cluster_id, "capabilities": capabilities}
    return {keys.cluster_config_key(exporting.cluster): _text(value)}


def canaries(exporting: Exporting, moment: str) -> dict[str, str]:
    return {keys.canary_key(exporting.cluster, state): moment for state in keys.STATES.values()}


def nodes(cilium_nodes: Iterable[Manifest], exporting: Exporting) -> dict[str, str]:
    """From CiliumNodes."""
    return {
        keys.node_key(exporting.cluster, manifest["metadata"]["name"]): _text(_node(manifest, exporting))
        for manifest in cilium_nodes
    }


def services(manifests: Iterable[Manifest], slices: Iterable[Manifest], exporting: Exporting) -> dict[str, str]:
    """From Services that are global and shared, with their ready endpoints."""
    by_service: dict[tuple[str, str], list[Manifest]] = {}
    for piece in slices:
        metadata = piece["metadata"]
        owner = (metadata.get("labels") or {}).get(SERVICE_NAME_LABEL, "")
        by_service.setdefault((metadata.get("namespace", ""), owner), []).append(piece)
    exported = {}
    for manifest in manifests:
        namespace, name = manifest["metadata"].get("namespace", ""), manifest["metadata"]["name"]
        if sharing_of(manifest).shared:
            value = _service(manifest, by_service.get((namespace, name), []), exporting)
            exported[keys.service_key(exporting.cluster, namespace, name)] = _text(value)
    return exported


def endpoints(pods: Iterable[Manifest], exporting: Exporting) -> dict[str, str]:
    """From pods with an address of their own: addresses, and the identities that their labels make."""
    ours = [pod for pod in pods if _has_endpoint(pod)]
    numbers = _numbers({_labels(pod, exporting) for pod in ours}, exporting)
    exported = {keys.identity_key(number): labels for labels, number in numbers.items()}
    for pod in ours:
        address = pod["status"]["podIP"]
        exported[keys.endpoint_key(address)] = _text(
            {
                "IP": address,
                "Mask": None,
                "HostIP": pod["status"].get("hostIP", ""),
                "ID": numbers[_labels(pod, exporting)],
                "Key": 0,
                "Metadata": "",
                "K8sNamespace": pod["metadata"]["namespace"],
                "K8sPodName": pod["metadata"]["name"],
            }
        )
    return exported


def _node(manifest: Manifest, exporting: Exporting) -> dict[str, Any]:
    metadata, spec = manifest["metadata"], manifest.get("spec") or {}
    cidrs = [cidr for cidr in (spec.get("ipam") or {}).get("podCIDRs") or () if ":" not in cidr]
    return {
        "Name": metadata["name"],
        "Cluster": exporting.cluster,
        "IPAddresses": [{"Type": one["type"], "IP": one["ip"]} for one in spec.get("addresses") or ()],
        "IPv4AllocCIDR": _go_network(cidrs[0]) if cidrs else None,
        "IPv4SecondaryAllocCIDRs": [_go_network(cidr) for cidr in cidrs[1:]] or None,
        "IPv6AllocCIDR": None,
        "IPv6SecondaryAllocCIDRs": None,
        "IPv4HealthIP": "",
        "IPv6HealthIP": "",
        "IPv4IngressIP": "",
        "IPv6IngressIP": "",
        "ClusterID": exporting.cluster_id,
        "Source": "custom-resource",
        "EncryptionKey": 0,
        "Labels": metadata.get("labels") or {},
        "Annotations": metadata.get("annotations") or {},
        "NodeIdentity": 0,
        "WireguardPubKey": "",
        "BootID": spec.get("bootid", ""),
    }


def _go_network(cidr: str) -> dict[str, str]:
    """Go's net.IPNet in JSON: the mask as base64."""
    network = IPv4Network(cidr)
    return {"IP": str(network.network_address), "Mask": base64.b64encode(network.netmask.packed).decode()}


def _service(manifest: Manifest, slices: Iterable[Manifest], exporting: Exporting) -> dict[str, Any]:
    metadata, spec = manifest["metadata"], manifest.get("spec") or {}
    addresses = [one for one in spec.get("clusterIPs") or [spec.get("clusterIP", "")] if one not in ("", "None")]
    ports = {
        port.get("name", ""): {"Protocol": port.get("protocol", "TCP"), "Port": port["port"]}
        for port in spec.get("ports") or ()
    }
    return {
        "cluster": exporting.cluster,
        "namespace": metadata.get("namespace", ""),
        "name": metadata["name"],
        "frontends": dict.fromkeys(addresses, ports),
        "backends": _backends(slices, exporting.behaviour),
        "hostnames": {},
        "labels": metadata.get("labels") or {},
        "selector": spec.get("selector") or {},
        "includeExternal": True,
        "shared": True,
        "clusterID": exporting.cluster_id,
    }


def _backends(slices: Iterable[Manifest], behaviour: Behaviour) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for piece in slices:
        ports = {
            port.get("name") or "": {"Protocol": port.get("protocol", "TCP"), "Port": port["port"]}
            for port in piece.get("ports") or ()
            if port.get("port") and (port.get("name") or not behaviour.has(UNNAMED_PORTS_EXPORT_NOTHING))
        }
        for endpoint in piece.get("endpoints") or ():
            if (endpoint.get("conditions") or {}).get("ready") is not False:  # absent means ready (discovery/v1)
                for address in endpoint.get("addresses") or ():
                    found.setdefault(address, {}).update(ports)
    return found


def _has_endpoint(pod: Manifest) -> bool:
    status = pod.get("status") or {}
    ended = status.get("phase") in ("Succeeded", "Failed")
    return bool(status.get("podIP")) and not pod["spec"].get("hostNetwork") and not ended


def _labels(pod: Manifest, exporting: Exporting) -> str:
    metadata = pod["metadata"]
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key not in NOT_OF_AN_IDENTITY}
    labels["io.cilium.k8s.policy.cluster"] = exporting.cluster
    labels["io.kubernetes.pod.namespace"] = metadata["namespace"]
    return "".join(f"k8s:{key}={labels[key]};" for key in sorted(labels))


def _numbers(label_sets: Iterable[str], exporting: Exporting) -> Mapping[str, int]:
    """A number per set of labels, the same one on every look: from the labels, and the next free one when taken."""
    numbers: dict[str, int] = {}
    taken: set[int] = set()
    for labels in sorted(label_sets):
        number = FIRST_IDENTITY + zlib.crc32(labels.encode()) % (IDENTITIES - FIRST_IDENTITY)
        while number in taken:
            number = FIRST_IDENTITY + (number + 1 - FIRST_IDENTITY) % (IDENTITIES - FIRST_IDENTITY)
        taken.add(number)
        numbers[labels] = (exporting.cluster_id << 16) + number
    return numbers


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
