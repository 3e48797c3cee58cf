"""The guide's objects as literals, as the API server would hold them (defaults filled in)."""

from __future__ import annotations

from typing import Any

POD_CIDRS = {"k8s-ctr": "172.20.0.0/24", "k8s-w1": "172.20.1.0/24"}
ADDRESSES = {"k8s-ctr": "192.168.10.100", "k8s-w1": "192.168.10.101"}


def cilium_node(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumNode",
        "metadata": {"name": name},
        "spec": {
            "addresses": [{"type": "InternalIP", "ip": ADDRESSES[name]}],
            "ipam": {"podCIDRs": [POD_CIDRS[name]]},
        },
    }


def peer(**fields: Any) -> dict[str, Any]:
    return {
        "name": "tor-switch",
        "peerAddress": "192.168.10.200",
        "peerASN": 65000,
        "peerConfigRef": {"name": "cilium-peer"},
        **fields,
    }


def instance(**fields: Any) -> dict[str, Any]:
    return {"name": "instance-65001", "localASN": 65001, "peers": [peer()], **fields}


def node_config(name: str, *instances: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumBGPNodeConfig",
        "metadata": {"name": name},
        "spec": {"bgpInstances": list(instances) or [instance()]},
    }


def family(afi: str = "ipv4") -> dict[str, Any]:
    return {"afi": afi, "safi": "unicast", "advertisements": {"matchLabels": {"advertise": "bgp"}}}


def peer_config(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumBGPPeerConfig",
        "metadata": {"name": "cilium-peer"},
        "spec": {
            "timers": {"connectRetryTimeSeconds": 120, "holdTimeSeconds": 9, "keepAliveTimeSeconds": 3},
            "ebgpMultihop": 2,
            "gracefulRestart": {"enabled": True, "restartTimeSeconds": 15},
            "families": [family()],
            **spec,
        },
    }


def advertisement(*entries: dict[str, Any], name: str = "bgp-advertisements") -> dict[str, Any]:
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumBGPAdvertisement",
        "metadata": {"name": name, "labels": {"advertise": "bgp"}},
        "spec": {"advertisements": list(entries) or [{"advertisementType": "PodCIDR"}]},
    }


def service_entry(*addresses: str, **fields: Any) -> dict[str, Any]:
    return {
        "advertisementType": "Service",
        "service": {"addresses": list(addresses) or ["LoadBalancerIP"], **fields.pop("service", {})},
        "selector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["webpod"]}]},
        **fields,
    }


def service(ingress: str | None = "172.16.1.1", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "webpod", "namespace": "default", "labels": {"app": "webpod"}},
        "spec": {
            "type": "LoadBalancer",
            "clusterIP": "10.96.10.20",
            "clusterIPs": ["10.96.10.20"],
            "externalTrafficPolicy": "Cluster",
            "internalTrafficPolicy": "Cluster",
            **spec,
        },
        "status": {"loadBalancer": {"ingress": [{"ip": ingress}]} if ingress else {}},
    }


def endpoint_slice(*nodes: str, **conditions: bool) -> dict[str, Any]:
    """One endpoint per node named; conditions as given, ready when none are."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "webpod-abcde",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "webpod"},
        },
        "endpoints": [{"nodeName": node, "conditions": conditions or {"ready": True}} for node in nodes],
    }


def secret(name: str, **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": "kube-system"},
        "data": data,
    }
