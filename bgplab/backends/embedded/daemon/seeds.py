"""What is in a cluster from the start: nodes, cluster DNS, and Cilium's configuration and agents if installed. Pure."""

from __future__ import annotations

from typing import Any

from bgplab.backends.embedded.agents.addresses import dns_address
from bgplab.backends.embedded.agents.kubelet.node import node_manifest
from bgplab.backends.embedded.crds import load_crds
from bgplab.backends.embedded.plan import ClusterPlan
from bgplab.lab.cluster import Manifest
from bgplab.spec.cilium_images import AGENT_IMAGE, OPERATOR_IMAGE


def seeds(cluster: ClusterPlan) -> list[Manifest]:
    """Objects to install before the API server serves its first request."""
    cilium = [_cilium_config(cluster), _agents(cluster), _operator(cluster)] if cluster.cilium_installed else []
    return [
        # In a real cluster the operator registers them; here they are there before it, too.
        *load_crds(cluster.cilium_version),
        *(node_manifest(node, network_ready=cluster.cilium_installed) for node in cluster.nodes),
        *cilium,
        _kube_dns(cluster),
    ]


def _cilium_config(cluster: ClusterPlan) -> Manifest:
    """Those keys of Cilium's ConfigMap that are true of the embedded lab."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "cilium-config", "namespace": "kube-system"},
        "data": {
            "auto-direct-node-routes": "true",
            "bgp-router-id-allocation-ip-pool": "",
            "bgp-router-id-allocation-mode": "default",
            "bgp-secrets-namespace": "kube-system",
            "bpf-lb-algorithm": "random",
            "bpf-lb-mode": "snat",
            "cluster-id": str(cluster.id),
            "cluster-name": cluster.name if cluster.id else "default",
            "direct-routing-skip-unreachable": "true",
            "enable-bgp-control-plane": "true",
            "enable-bgp-control-plane-status-report": "true",
            "enable-hubble": "true",
            "enable-ipv4": "true",
            "enable-ipv6": "false",
            "enable-lb-ipam": "true",
            "ipam": "kubernetes",
            "ipv4-native-routing-cidr": str(cluster.pod_cidr),
            "kube-proxy-replacement": "true",
            "routing-mode": "native",
        },
    }


def _agents(cluster: ClusterPlan) -> Manifest:
    labels = {"k8s-app": "cilium"}
    container = {"name": "cilium-agent", "image": f"{AGENT_IMAGE}:v{_patch(cluster.cilium_version)}"}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "cilium", "namespace": "kube-system", "labels": labels},
        "spec": {"selector": {"matchLabels": labels}, "template": _template(labels, container)},
    }


def _operator(cluster: ClusterPlan) -> Manifest:
    labels = {"io.cilium/app": "operator", "name": "cilium-operator"}
    container = {"name": "cilium-operator", "image": f"{OPERATOR_IMAGE}:v{_patch(cluster.cilium_version)}"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "cilium-operator", "namespace": "kube-system", "labels": labels},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": _template(labels, container)},
    }


def _template(labels: dict[str, str], container: dict[str, Any]) -> dict[str, Any]:
    return {
        "metadata": {"labels": labels},
        "spec": {
            "hostNetwork": True,
            "containers": [container],
            "tolerations": [{"operator": "Exists"}],
            "terminationGracePeriodSeconds": 1,
        },
    }


def _patch(version: str) -> str:
    return version if version.count(".") == 2 else f"{version}.0"


def _kube_dns(cluster: ClusterPlan) -> Manifest:
    """The Service alone: every node answers at its address itself (agents/dns), as a node-local DNS does."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "kube-dns",
            "namespace": "kube-system",
            "labels": {"k8s-app": "kube-dns", "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS"},
        },
        "spec": {
            "clusterIP": str(dns_address(cluster)),
            "ports": [
                {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53},
                {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53},
            ],
        },
    }
