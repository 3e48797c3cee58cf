"""Deployments, DaemonSets, the scheduler and endpoints at work on a running cluster."""

from __future__ import annotations

from controller_cluster import node_manifest

from bgplab.backends.embedded.controllers.conditions import find
from bgplab.backends.embedded.controllers.legacy_endpoints import ENDPOINTS
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
            and seen["status"].get("updatedReplicas") == replicas
            and seen["status"].get("replicas") == replicas
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
