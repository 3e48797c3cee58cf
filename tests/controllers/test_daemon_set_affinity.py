"""A DaemonSet's own node affinity decides where its pods are, as in Kubernetes; `OnDelete` replaces none."""

from __future__ import annotations

from controller_cluster import RunningCluster

from bgplab.backends.embedded.controllers.pods import is_terminating
from bgplab.lab.cluster import DAEMON_SET, NODE, POD, Manifest

LABELS = {"app": "agent"}


def a_daemon_set() -> Manifest:
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "agent", "image": "agent"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "agent", "namespace": "default"},
        "spec": {"selector": {"matchLabels": LABELS}, "template": template},
    }


def kept_off(node: str) -> Manifest:
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "NotIn", "values": [node]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    spec = {"updateStrategy": {"type": "OnDelete"}, "template": {"spec": {"affinity": {"nodeAffinity": required}}}}
    return {"spec": spec}


def test_a_node_that_the_template_excludes_loses_its_pod_and_others_keep_theirs(
    lab_cluster: RunningCluster,
) -> None:
    cluster = lab_cluster.cluster
    nodes = {node["metadata"]["name"] for node in cluster.list(NODE)}
    cluster.create(a_daemon_set())

    def pods() -> dict[str, str]:
        found = [pod for pod in cluster.list(POD, "default", labels="app=agent") if not is_terminating(pod)]
        return {pod["spec"]["nodeName"]: pod["metadata"]["name"] for pod in found if pod["spec"].get("nodeName")}

    before = lab_cluster.until(pods, lambda seen: set(seen) == nodes)
    gone = min(nodes)
    cluster.patch(DAEMON_SET, "agent", kept_off(gone), "default")
    during = lab_cluster.until(pods, lambda seen: gone not in seen)
    assert during == {node: pod for node, pod in before.items() if node != gone}
