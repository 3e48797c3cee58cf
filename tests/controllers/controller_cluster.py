"""A cluster to run controllers on: three nodes, Cilium's resource types, and a stand-in for kubelets."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bgplab.backends.embedded.controllers import start_controllers
from bgplab.backends.embedded.controllers.conditions import now
from bgplab.backends.embedded.controllers.runtime import Informers, Worker, key_of
from bgplab.backends.embedded.crds import load_crds
from bgplab.lab.cluster import POD, Cluster, Manifest
from bgplab.lab.waiting import Deadline, wait_until

NODES = {"k8s-ctr": "172.20.0.0/24", "k8s-w1": "172.20.1.0/24", "k8s-w0": "172.20.2.0/24"}
PATIENCE_SECONDS = 5.0


@dataclass(frozen=True)
class RunningCluster:
    """The seam, and waiting on it."""

    cluster: Cluster

    def until(self, look: Callable[[], Any], holds: Callable[[Any], bool], what: str = "the expected state") -> Any:
        return wait_until(look, holds, Deadline.after(PATIENCE_SECONDS), what, every=0.01)


@contextlib.contextmanager
def running_controllers(cluster: Cluster, cilium_version: str) -> Iterator[RunningCluster]:
    """All controllers of a Cilium release on an empty cluster that gets nodes."""
    stop = threading.Event()
    for crd in load_crds(cilium_version):
        cluster.create(crd)
    for name, pod_cidr in NODES.items():
        cluster.create(node_manifest(name, pod_cidr))
    informers = Informers(cluster, stop)
    StandInKubelet(cluster, informers, stop)
    start_controllers(cluster, informers, stop, cilium_version=cilium_version)
    try:
        yield RunningCluster(cluster)
    finally:
        stop.set()
        informers.join(PATIENCE_SECONDS)


class StandInKubelet:
    """Makes bound pods ready, and removes those that are to go."""

    def __init__(self, cluster: Cluster, informers: Informers, stop: threading.Event) -> None:
        self._cluster, self._pods = cluster, informers.of(POD)
        self._addresses = iter(range(2, 250))
        worker = Worker("stand-in-kubelet", self._reconcile, stop, needs=(self._pods,))
        self._pods.subscribe(lambda old, new: worker.enqueue(key_of(new or old or {})))

    def _reconcile(self, key: tuple[str, str]) -> None:
        pod = self._pods.get(key[1], key[0])
        if pod is None or not pod["spec"].get("nodeName"):
            return
        if "deletionTimestamp" in pod["metadata"]:
            self._cluster.delete(POD, key[1], key[0], grace_period_seconds=0)
        elif not pod["status"].get("podIP"):
            network = NODES.get(pod["spec"]["nodeName"], "172.20.9.0/24").rsplit(".", 1)[0]
            status = {
                "phase": "Running",
                "podIP": f"{network}.{next(self._addresses)}",
                "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": now()}],
            }
            self._cluster.patch(POD, key[1], {"status": status}, key[0], subresource="status")


def node_manifest(name: str, pod_cidr: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": {"podCIDR": pod_cidr, "podCIDRs": [pod_cidr]},
        "status": {
            "addresses": [{"type": "InternalIP", "address": "192.168.10.100"}, {"type": "Hostname", "address": name}],
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": now()}],
        },
    }
