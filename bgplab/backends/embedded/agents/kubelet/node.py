"""A node as its kubelet registers it (Kubernetes API, Node v1)."""

from __future__ import annotations

import os
from typing import Any

from bgplab.backends.embedded.agents.kubelet.status import now, stamp
from bgplab.backends.embedded.plan import NodePlan
from bgplab.lab.cluster import Manifest

KUBELET_VERSION = "v1.33.2"
NOT_READY_TAINT = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
CONTROL_PLANE_TAINT = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
#: What a kubelet says as long as no network plugin has been installed (containerd's words).
NETWORK_NOT_READY = (
    "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady"
    " message:Network plugin returns error: cni plugin not initialized"
)
_PRESSURES = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
)
_READY = ("Ready", "True", "KubeletReady", "kubelet is posting ready status")
_NOT_READY = ("Ready", "False", "KubeletNotReady", NETWORK_NOT_READY)


def condition_of(network_ready: bool) -> dict[str, Any]:
    """The node's Ready condition, as of now."""
    return _condition(*(_READY if network_ready else _NOT_READY))


def _condition(kind: str, status: str, reason: str, message: str) -> dict[str, Any]:
    moment = stamp(now())
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastHeartbeatTime": moment,
        "lastTransitionTime": moment,
    }


def node_manifest(node: NodePlan, *, network_ready: bool = True) -> Manifest:
    """A node with the plan's address and pod range.

    network_ready: False before a network plugin is installed; a control plane then has its taint, as kind's has.
    """
    labels = {
        "beta.kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": node.name,
        "kubernetes.io/os": "linux",
    }
    if node.control_plane:
        labels["node-role.kubernetes.io/control-plane"] = ""
    resources = {"cpu": str(os.cpu_count() or 1), "memory": "4Gi", "pods": "110", "ephemeral-storage": "10Gi"}
    conditions = [*(_condition(*pressure) for pressure in _PRESSURES), condition_of(network_ready)]
    taints = [NOT_READY_TAINT] if not network_ready else []
    if node.control_plane and not network_ready:
        taints = [CONTROL_PLANE_TAINT, *taints]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": node.name, "labels": labels},
        "spec": {"podCIDR": str(node.pod_cidr), "podCIDRs": [str(node.pod_cidr)]}
        | ({"taints": taints} if taints else {}),
        "status": {
            "addresses": [
                {"type": "InternalIP", "address": str(node.address)},
                {"type": "Hostname", "address": node.name},
            ],
            "capacity": resources,
            "allocatable": resources,
            "conditions": conditions,
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": {
                "architecture": "amd64",
                "bootID": "",
                "containerRuntimeVersion": "bgp-lab://0.1.0",
                "kernelVersion": os.uname().release,
                "kubeProxyVersion": "",
                "kubeletVersion": KUBELET_VERSION,
                "machineID": "",
                "operatingSystem": "linux",
                "osImage": "Debian GNU/Linux 12 (bookworm)",
                "systemUUID": "",
            },
        },
    }
