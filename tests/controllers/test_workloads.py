"""Deployments, DaemonSets, the scheduler and endpoints at work on a running cluster."""

from __future__ import annotations

import contextlib
import threading

import pytest
from controller_cluster import PATIENCE_SECONDS, node_manifest

from bgplab.backends.embedded.controllers.conditions import find, now
from bgplab.backends.embedded.controllers.legacy_endpoints import ENDPOINTS
from bgplab.backends.embedded.controllers.pods import is_ready, is_terminating
from bgplab.backends.embedded.controllers.runtime import Informers
from bgplab.lab.cluster import DAEMON_SET, DEPLOYMENT, ENDPOINT_SLICE, EVENT, NODE, POD, REPLICA_SET, SERVICE

APART = {
    "podAntiAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": [
            {
                "labelSelector": {"matchLabels": {"app": "webpod"}},
                "topologyKey": "kubernetes.io/hostname",
            }
        ]
    }
}


def a_deployment(replicas: int = 3, *, affinity=APART, **spec):
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "webpod", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "webpod"}},
            "template": {
                "metadata": {"labels": {"app": "webpod"}},
                "spec": {
                    "affinity": affinity,
                    "containers": [
                        {
                            "name": "webpod",
                            "image": "traefik/whoami",
                            "ports": [{"name": "http", "containerPort": 80}],
                        }
                    ],
                },
            },
            **spec,
        },
    }


SERVICE_MANIFEST = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "webpod", "namespace": "default"},
    "spec": {"selector": {"app": "webpod"}, "ports": [{"port": 80, "targetPort": "http"}]},
}


def available(lab_cluster, replicas: int):
    return lab_cluster.until(
        lambda: lab_cluster.cluster.get(DEPLOYMENT, "webpod", "default"),
        lambda seen: (
            seen.get("status", {}).get("availableReplicas", 0) == replicas
            and seen["status"].get("updatedReplicas", 0) == replicas
            and seen["status"].get("replicas", 0) == replicas
            and seen["status"]["observedGeneration"] == seen["metadata"]["generation"]
        ),
        f"{replicas} replicas available",
    )


def ready_endpoints(lab_cluster, count: int):
    return lab_cluster.until(
        lambda: [
            endpoint
            for piece in lab_cluster.cluster.list(ENDPOINT_SLICE, "default", labels="kubernetes.io/service-name=webpod")
            for endpoint in piece.get("endpoints") or []
            if endpoint["conditions"]["ready"]
        ],
        lambda seen: len(seen) == count,
        f"{count} ready endpoints",
    )


def scale(lab_cluster, replicas: int):
    lab_cluster.cluster.patch(DEPLOYMENT, "webpod", {"spec": {"replicas": replicas}}, "default")


def test_the_guides_deployment_has_one_pod_per_node(lab_cluster):
    lab_cluster.cluster.create(a_deployment())
    deployment = available(lab_cluster, 3)
    pods = lab_cluster.cluster.list(POD, "default")
    assert {pod["spec"]["nodeName"] for pod in pods} == {"k8s-ctr", "k8s-w1", "k8s-w0"}
    assert all(pod["metadata"]["labels"]["pod-template-hash"] in pod["metadata"]["name"] for pod in pods)
    assert find(deployment["status"]["conditions"], "Available")["status"] == "True"


def test_never_more_pods_are_made_than_wanted(lab_cluster):
    lab_cluster.cluster.create(a_deployment(20, affinity={}))
    available(lab_cluster, 20)
    names = {
        event["message"].removeprefix("Created pod: ")
        for event in lab_cluster.until(
            lambda: [one for one in lab_cluster.cluster.list(EVENT) if one["reason"] == "SuccessfulCreate"],
            lambda seen: len(seen) >= 20,
            "20 events",
        )
    }
    assert names == {pod["metadata"]["name"] for pod in lab_cluster.cluster.list(POD, "default")}


def test_endpoints_follow_the_scale(lab_cluster):
    lab_cluster.cluster.create(a_deployment())
    lab_cluster.cluster.create(SERVICE_MANIFEST)
    endpoints = ready_endpoints(lab_cluster, 3)
    assert {endpoint["nodeName"] for endpoint in endpoints} == {"k8s-ctr", "k8s-w1", "k8s-w0"}
    scale(lab_cluster, 2)
    ready_endpoints(lab_cluster, 2)
    scale(lab_cluster, 3)
    ready_endpoints(lab_cluster, 3)


def test_a_status_leaves_out_the_zeros_that_the_real_one_leaves_out(lab_cluster):
    lab_cluster.cluster.create(a_deployment())
    lab_cluster.cluster.create(a_daemon_set())
    status = available(lab_cluster, 3)["status"]
    assert status.keys() & {"unavailableReplicas", "collisionCount"} == set()
    ready_daemons(lab_cluster, 3)
    status = lab_cluster.until(
        lambda: lab_cluster.cluster.get(DAEMON_SET, "cilium", "kube-system")["status"],
        lambda status: "numberUnavailable" not in status,
    )
    assert status["numberMisscheduled"] == 0
    scale(lab_cluster, 0)
    status = available(lab_cluster, 0)["status"]
    assert {name for name in status if name.lower().endswith("replicas")} == set()
    (only,) = lab_cluster.cluster.list(REPLICA_SET, "default")
    assert only["status"]["replicas"] == 0
    assert "readyReplicas" not in only["status"]


def test_scaling_to_nothing_leaves_an_empty_slice(lab_cluster):
    lab_cluster.cluster.create(a_deployment(1))
    lab_cluster.cluster.create(SERVICE_MANIFEST)
    ready_endpoints(lab_cluster, 1)
    scale(lab_cluster, 0)
    available(lab_cluster, 0)
    ready_endpoints(lab_cluster, 0)
    (only,) = lab_cluster.cluster.list(ENDPOINT_SLICE, "default", labels="kubernetes.io/service-name=webpod")
    assert not only.get("endpoints")


def test_the_older_endpoints_follow_too_and_go_with_the_service(lab_cluster):
    lab_cluster.cluster.create(a_deployment())
    lab_cluster.cluster.create(SERVICE_MANIFEST)
    lab_cluster.until(
        lambda: lab_cluster.cluster.get(ENDPOINTS, "webpod", "default"),
        lambda seen: bool(seen) and len((seen.get("subsets") or [{}])[0].get("addresses", [])) == 3,
    )
    lab_cluster.cluster.delete(SERVICE, "webpod", "default")
    lab_cluster.until(lambda: lab_cluster.cluster.get(ENDPOINTS, "webpod", "default"), lambda seen: seen is None)
    lab_cluster.until(
        lambda: lab_cluster.cluster.list(ENDPOINT_SLICE, "default", labels="kubernetes.io/service-name=webpod"),
        lambda seen: seen == [],
    )


def test_a_deleted_pod_is_replaced(lab_cluster):
    lab_cluster.cluster.create(a_deployment())
    available(lab_cluster, 3)
    victim = lab_cluster.cluster.list(POD, "default")[0]["metadata"]["name"]
    lab_cluster.cluster.delete(POD, victim, "default")
    lab_cluster.until(
        lambda: [pod["metadata"]["name"] for pod in lab_cluster.cluster.list(POD, "default")],
        lambda names: len(names) == 3 and victim not in names,
    )


def test_a_new_template_replaces_all_pods_and_keeps_the_old_set_for_going_back(lab_cluster):
    lab_cluster.cluster.create(a_deployment(affinity={}))
    before = available(lab_cluster, 3)
    lab_cluster.cluster.patch(
        DEPLOYMENT,
        "webpod",
        [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "traefik/whoami:v1.11"}],
        "default",
        type="json",
    )
    lab_cluster.until(
        lambda: [pod["spec"]["containers"][0]["image"] for pod in lab_cluster.cluster.list(POD, "default")],
        lambda images: images == ["traefik/whoami:v1.11"] * 3,
    )
    available(lab_cluster, 3)
    sizes = {one["spec"]["replicas"] for one in lab_cluster.cluster.list(REPLICA_SET, "default")}
    assert sizes == {0, 3}
    assert before["metadata"]["generation"] == 1


def test_recreate_lets_the_old_pods_go_first(lab_cluster):
    lab_cluster.cluster.create(a_deployment(strategy={"type": "Recreate"}))
    available(lab_cluster, 3)
    lab_cluster.cluster.patch(
        DEPLOYMENT,
        "webpod",
        {"spec": {"template": {"metadata": {"annotations": {"changed": "yes"}}}}},
        "default",
    )
    available(lab_cluster, 3)
    lab_cluster.until(
        lambda: lab_cluster.cluster.list(POD, "default"),
        lambda pods: len(pods) == 3 and all("annotations" in pod["metadata"] for pod in pods),
    )


def test_a_deleted_deployment_takes_everything_along(lab_cluster):
    lab_cluster.cluster.create(a_deployment())
    available(lab_cluster, 3)
    lab_cluster.cluster.delete(DEPLOYMENT, "webpod", "default")
    lab_cluster.until(
        lambda: lab_cluster.cluster.list(POD, "default") + lab_cluster.cluster.list(REPLICA_SET, "default"),
        lambda seen: seen == [],
    )


def test_a_pod_that_fits_nowhere_says_why_and_is_placed_when_there_is_room(lab_cluster):
    lab_cluster.cluster.create(a_deployment(4))
    lab_cluster.until(
        lambda: [
            find(pod["status"].get("conditions"), "PodScheduled") for pod in lab_cluster.cluster.list(POD, "default")
        ],
        lambda seen: any(
            condition
            and condition["reason"] == "Unschedulable"
            and condition["message"].startswith(
                "0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules."
            )
            for condition in seen
            if condition and condition["status"] == "False"
        ),
        "an unschedulable pod",
    )
    lab_cluster.until(
        lambda: [one["reason"] for one in lab_cluster.cluster.list(EVENT)], lambda seen: "FailedScheduling" in seen
    )
    lab_cluster.cluster.create(node_manifest("k8s-w2", "172.20.1.0/24"))
    lab_cluster.until(
        lambda: {pod["spec"].get("nodeName") for pod in lab_cluster.cluster.list(POD, "default")},
        lambda seen: seen == {"k8s-ctr", "k8s-w1", "k8s-w0", "k8s-w2"},
    )


def test_a_daemon_set_has_a_pod_on_every_node_also_on_new_ones(lab_cluster):
    template = {
        "metadata": {"labels": {"k8s-app": "cilium"}},
        "spec": {"hostNetwork": True, "containers": [{"name": "cilium-agent", "image": "quay.io/cilium/cilium"}]},
    }
    lab_cluster.cluster.create(
        {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": {"name": "cilium", "namespace": "kube-system"},
            "spec": {"selector": {"matchLabels": {"k8s-app": "cilium"}}, "template": template},
        }
    )
    ready_daemons(lab_cluster, 3)
    tainted = node_manifest("k8s-w2", "172.20.1.0/24")
    tainted["spec"]["unschedulable"] = True
    lab_cluster.cluster.create(tainted)
    ready_daemons(lab_cluster, 4)
    lab_cluster.cluster.delete(NODE, "k8s-w2")
    ready_daemons(lab_cluster, 3)


def ready_daemons(lab_cluster, count: int):
    lab_cluster.until(
        lambda: lab_cluster.cluster.get(DAEMON_SET, "cilium", "kube-system"),
        lambda seen: (
            seen.get("status", {}).get("numberReady") == count and seen["status"]["desiredNumberScheduled"] == count
        ),
        f"{count} daemons ready",
    )


def a_daemon_set(image: str = "quay.io/cilium/cilium:v1", **spec):
    template = {
        "metadata": {"labels": {"k8s-app": "cilium"}},
        "spec": {"hostNetwork": True, "containers": [{"name": "cilium-agent", "image": image}]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "cilium", "namespace": "kube-system"},
        "spec": {"selector": {"matchLabels": {"k8s-app": "cilium"}}, "template": template, **spec},
    }


@pytest.mark.parametrize(
    ("strategy", "at_once"),
    [({}, 1), ({"rollingUpdate": {"maxUnavailable": 2}}, 2), ({"rollingUpdate": {"maxUnavailable": "50%"}}, 2)],
)
def test_a_changed_template_replaces_as_many_daemons_at_once_as_the_strategy_says(lab_cluster, strategy, at_once):
    strategy = {"type": "RollingUpdate", **strategy}
    lab_cluster.cluster.create(a_daemon_set(updateStrategy=strategy))
    ready_daemons(lab_cluster, 3)
    missing: list[int] = []
    with watched(lab_cluster, lambda pods: missing.append(3 - sum(map(is_ready, pods)))):
        lab_cluster.cluster.apply(a_daemon_set("quay.io/cilium/cilium:v2", updateStrategy=strategy))
        lab_cluster.until(
            lambda: [pod["spec"]["containers"][0]["image"] for pod in lab_cluster.cluster.list(POD, "kube-system")],
            lambda images: images == ["quay.io/cilium/cilium:v2"] * 3,
            "every daemon is of the new template",
        )
    assert 0 < max(missing) <= at_once


@contextlib.contextmanager
def watched(lab_cluster, see):
    """Call with all running pods of kube-system after every event about one of them."""
    stop = threading.Event()
    pods = Informers(lab_cluster.cluster, stop).of(POD)
    pods.wait_synced(PATIENCE_SECONDS)
    pods.subscribe(lambda old, new: see([pod for pod in pods.list() if not is_terminating(pod)]))
    try:
        yield
    finally:
        stop.set()
        pods.join(PATIENCE_SECONDS)


def test_a_node_is_tainted_while_it_is_not_ready_and_keeps_its_other_taints(lab_cluster):
    other = {"key": "dedicated", "value": "routers", "effect": "NoSchedule"}
    lab_cluster.cluster.patch(NODE, "k8s-w1", {"spec": {"taints": [other]}})
    set_ready(lab_cluster, "k8s-w1", "False")
    taints(lab_cluster, "k8s-w1", [other, {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}])
    set_ready(lab_cluster, "k8s-w1", "True")
    taints(lab_cluster, "k8s-w1", [other])


def test_the_last_taint_leaves_none(lab_cluster):
    set_ready(lab_cluster, "k8s-w1", "Unknown")
    taints(lab_cluster, "k8s-w1", [{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}])
    set_ready(lab_cluster, "k8s-w1", "True")
    taints(lab_cluster, "k8s-w1", [])


def set_ready(lab_cluster, name: str, status: str) -> None:
    condition = {"type": "Ready", "status": status, "lastTransitionTime": now()}
    lab_cluster.cluster.patch(NODE, name, {"status": {"conditions": [condition]}}, subresource="status")


def taints(lab_cluster, name: str, wanted: list[dict[str, str]]) -> None:
    lab_cluster.until(
        lambda: lab_cluster.cluster.get(NODE, name)["spec"].get("taints", []),
        lambda seen: seen == wanted,
        f"taints of {name}",
    )


def test_a_noschedule_taint_leaves_a_running_daemon_and_a_noexecute_taint_does_not(lab_cluster):
    lab_cluster.cluster.create(a_daemon_set())
    ready_daemons(lab_cluster, 3)
    taint = {"key": "dedicated", "value": "routers", "effect": "NoSchedule"}
    lab_cluster.cluster.patch(NODE, "k8s-w1", {"spec": {"taints": [taint]}})
    seen = lab_cluster.until(
        lambda: lab_cluster.cluster.get(DAEMON_SET, "cilium", "kube-system")["status"],
        lambda status: status["desiredNumberScheduled"] == 2,
        "two nodes fit",
    )
    assert seen["numberMisscheduled"] == 1
    assert len(lab_cluster.cluster.list(POD, "kube-system")) == 3
    lab_cluster.cluster.patch(NODE, "k8s-w1", {"spec": {"taints": [{**taint, "effect": "NoExecute"}]}})
    lab_cluster.until(
        lambda: {pod["spec"].get("nodeName") for pod in lab_cluster.cluster.list(POD, "kube-system")},
        lambda nodes: nodes == {"k8s-ctr", "k8s-w0"},
        "the tainted node's daemon has gone",
    )
