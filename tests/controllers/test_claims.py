"""Claiming by selector: what matches and is nobody's is adopted, what no longer matches is released."""

from __future__ import annotations

from test_workloads import a_daemon_set, a_deployment, available, ready_daemons

from bgplab.backends.embedded.controllers.pods import controller_of, is_terminating
from bgplab.lab.cluster import DAEMON_SET, DEPLOYMENT, POD, REPLICA_SET

ORPHAN = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Orphan"}


def names_and_uids(lab_cluster, kind, namespace="default"):
    return {one["metadata"]["name"]: one["metadata"]["uid"] for one in lab_cluster.cluster.list(kind, namespace)}


def orphan(lab_cluster, kind, name, namespace="default"):
    """`kubectl delete --cascade=orphan`, which the seam does not have."""
    lab_cluster.cluster._transport.json("DELETE", kind.path(name, namespace), body=ORPHAN)


def owners(lab_cluster, namespace="default"):
    """Each pod that stays, and what controls it."""
    return {
        pod["metadata"]["name"]: (controller_of(pod) or {}).get("name")
        for pod in lab_cluster.cluster.list(POD, namespace)
        if not is_terminating(pod)
    }


def test_a_deployment_that_left_orphans_takes_them_back_when_applied_again(lab_cluster):
    lab_cluster.cluster.create(a_deployment(affinity={}))
    available(lab_cluster, 3)
    sets, pods = names_and_uids(lab_cluster, REPLICA_SET), names_and_uids(lab_cluster, POD)
    orphan(lab_cluster, DEPLOYMENT, "webpod")
    (left,) = lab_cluster.cluster.list(REPLICA_SET, "default")
    assert controller_of(left) is None
    created = lab_cluster.cluster.apply(a_deployment(affinity={}))
    available(lab_cluster, 3)
    (taken,) = lab_cluster.cluster.list(REPLICA_SET, "default")
    assert (controller_of(taken) or {}).get("uid") == created["metadata"]["uid"]
    assert (names_and_uids(lab_cluster, REPLICA_SET), names_and_uids(lab_cluster, POD)) == (sets, pods)


def test_a_deployment_of_another_template_scales_adopted_sets_down(lab_cluster):
    lab_cluster.cluster.create(a_deployment(affinity={}))
    available(lab_cluster, 3)
    orphan(lab_cluster, DEPLOYMENT, "webpod")
    other = a_deployment(affinity={})
    other["spec"]["template"]["spec"]["containers"][0]["image"] = "traefik/whoami:v1.11"
    lab_cluster.cluster.apply(other)
    available(lab_cluster, 3)
    assert sorted(one["spec"]["replicas"] for one in lab_cluster.cluster.list(REPLICA_SET, "default")) == [0, 3]


def test_a_set_of_the_same_name_that_does_not_match_is_avoided(lab_cluster):
    lab_cluster.cluster.create(a_deployment(affinity={}))
    available(lab_cluster, 3)
    (first,) = names_and_uids(lab_cluster, REPLICA_SET)
    lab_cluster.cluster.patch(REPLICA_SET, first, {"metadata": {"labels": {"app": "apart"}}}, "default")
    seen = lab_cluster.until(
        lambda: lab_cluster.cluster.list(REPLICA_SET, "default"), lambda seen: len(seen) == 2, "a second ReplicaSet"
    )
    assert {one["metadata"]["name"]: bool(controller_of(one)) for one in seen}[first] is False
    lab_cluster.until(
        lambda: lab_cluster.cluster.get(DEPLOYMENT, "webpod", "default")["status"],
        lambda status: status.get("collisionCount") == 1 and status.get("availableReplicas") == 3,
        "one collision, three replicas",
    )


def test_a_relabelled_pod_is_released_and_replaced(lab_cluster):
    lab_cluster.cluster.create(a_deployment(affinity={}))
    available(lab_cluster, 3)
    pod = next(iter(owners(lab_cluster)))
    lab_cluster.cluster.patch(POD, pod, {"metadata": {"labels": {"app": "apart"}}}, "default")
    seen = lab_cluster.until(lambda: owners(lab_cluster), lambda seen: len(seen) == 4, "a fourth pod")
    assert seen[pod] is None
    assert len(set(seen.values()) - {None}) == 1


def test_a_released_pod_that_matches_again_is_adopted_and_one_too_many_goes(lab_cluster):
    lab_cluster.cluster.create(a_deployment(affinity={}))
    available(lab_cluster, 3)
    pod = next(iter(owners(lab_cluster)))
    lab_cluster.cluster.patch(POD, pod, {"metadata": {"labels": {"app": "apart"}}}, "default")
    lab_cluster.until(lambda: owners(lab_cluster), lambda seen: len(seen) == 4, "a fourth pod")
    lab_cluster.cluster.patch(POD, pod, {"metadata": {"labels": {"app": "webpod"}}}, "default")
    lab_cluster.until(
        lambda: owners(lab_cluster), lambda seen: len(seen) == 3 and None not in seen.values(), "three owned pods"
    )


def test_a_bare_pod_that_matches_counts_as_a_replica(lab_cluster):
    template = {"metadata": {"labels": {"app": "bare"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    bare = {"apiVersion": "v1", "kind": "Pod", **template}
    lab_cluster.cluster.create({**bare, "metadata": {**bare["metadata"], "name": "first", "namespace": "default"}})
    lab_cluster.cluster.create(
        {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {"name": "two", "namespace": "default"},
            "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "bare"}}, "template": template},
        }
    )
    seen = lab_cluster.until(lambda: owners(lab_cluster), lambda seen: len(seen) >= 2, "two pods")
    assert seen.keys() >= {"first"}
    lab_cluster.until(lambda: owners(lab_cluster), lambda seen: list(seen.values()) == ["two", "two"], "two owned pods")


def test_a_daemon_set_takes_its_orphans_back(lab_cluster):
    lab_cluster.cluster.create(a_daemon_set())
    ready_daemons(lab_cluster, 3)
    pods = names_and_uids(lab_cluster, POD, "kube-system")
    orphan(lab_cluster, DAEMON_SET, "cilium", "kube-system")
    assert set(owners(lab_cluster, "kube-system").values()) == {None}
    lab_cluster.cluster.apply(a_daemon_set())
    ready_daemons(lab_cluster, 3)
    assert set(owners(lab_cluster, "kube-system").values()) == {"cilium"}
    assert names_and_uids(lab_cluster, POD, "kube-system") == pods


def test_a_pod_adopted_beside_a_daemon_leaves_one_on_the_node(lab_cluster):
    lab_cluster.cluster.create(a_daemon_set())
    ready_daemons(lab_cluster, 3)
    before = owners(lab_cluster, "kube-system")
    second = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "second", "namespace": "kube-system", "labels": {"k8s-app": "cilium"}},
        "spec": {"nodeName": "k8s-w1", "containers": [{"name": "c", "image": "i"}]},
    }
    lab_cluster.cluster.create(second)
    lab_cluster.until(
        lambda: lab_cluster.cluster.get(POD, "second", "kube-system"), lambda seen: seen is None, "one pod per node"
    )
    assert owners(lab_cluster, "kube-system") == before
