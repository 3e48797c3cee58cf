"""NoExecute taints: who must go, and when."""

from __future__ import annotations

import pytest

from bgplab.backends.embedded.controllers.taint_evictions import tolerated_seconds
from bgplab.lab.cluster import EVENT, NODE, POD

GPU = {"key": "gpu", "value": "yes", "effect": "NoExecute"}
TOLERATED = {"key": "gpu", "operator": "Equal", "value": "yes", "effect": "NoExecute"}


def a_pod(*tolerations, name="web", node="k8s-w1"):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"nodeName": node, "tolerations": [*tolerations], "containers": [{"name": "c", "image": "i"}]},
    }


@pytest.mark.parametrize(
    ("tolerations", "taints", "seconds"),
    [
        ([], [], None),
        ([], [GPU], 0),
        ([TOLERATED], [GPU], None),
        ([{"operator": "Exists"}], [GPU], None),
        ([{**TOLERATED, "value": "no"}], [GPU], 0),
        ([{**TOLERATED, "effect": "NoSchedule"}], [GPU], 0),
        ([{**TOLERATED, "tolerationSeconds": 60}], [GPU], 60),
        ([{**TOLERATED, "tolerationSeconds": -5}], [GPU], 0),
        ([{**TOLERATED, "tolerationSeconds": 60}, {"operator": "Exists"}], [GPU], 60),
        ([{**TOLERATED, "tolerationSeconds": 60}, {"operator": "Exists", "tolerationSeconds": 30}], [GPU], 30),
        ([TOLERATED], [GPU, {"key": "other", "effect": "NoExecute"}], 0),
    ],
)
def test_a_pod_stays_as_long_as_it_tolerates_every_taint(tolerations, taints, seconds):
    assert tolerated_seconds(a_pod(*tolerations), taints) == seconds


def names(lab_cluster):
    return {pod["metadata"]["name"] for pod in lab_cluster.cluster.list(POD, "default")}


def test_a_noexecute_taint_empties_a_node_of_what_does_not_tolerate_it(lab_cluster):
    for pod in (a_pod(), a_pod(TOLERATED, name="tolerant"), a_pod(name="elsewhere", node="k8s-w0")):
        lab_cluster.cluster.create(pod)
    lab_cluster.cluster.patch(NODE, "k8s-w1", {"spec": {"taints": [GPU]}})
    lab_cluster.until(lambda: names(lab_cluster), lambda seen: seen == {"tolerant", "elsewhere"}, "one pod evicted")
    lab_cluster.until(
        lambda: [(one["reason"], one["message"]) for one in lab_cluster.cluster.list(EVENT, "default")],
        lambda seen: ("TaintManagerEviction", "Marking for deletion Pod default/web") in seen,
    )


def test_a_pod_goes_when_its_toleration_is_over_and_not_before(lab_cluster):
    lab_cluster.cluster.create(a_pod({**TOLERATED, "tolerationSeconds": 2}))
    lab_cluster.cluster.create(a_pod({**TOLERATED, "tolerationSeconds": 3600}, name="patient"))
    lab_cluster.cluster.create(a_pod(name="impatient"))
    lab_cluster.cluster.patch(NODE, "k8s-w1", {"spec": {"taints": [GPU]}})
    seen: list[set[str]] = []
    lab_cluster.until(
        lambda: seen.append(names(lab_cluster)) or seen[-1], lambda last: last == {"patient"}, "two have gone"
    )
    assert {"web", "patient"} in seen
    assert {"impatient", "patient"} not in seen


def test_a_noschedule_taint_evicts_nobody(lab_cluster):
    lab_cluster.cluster.create(a_pod())
    lab_cluster.cluster.patch(NODE, "k8s-w1", {"spec": {"taints": [{**GPU, "effect": "NoSchedule"}]}})
    lab_cluster.cluster.create(a_pod(name="other", node="k8s-w0"))
    lab_cluster.cluster.patch(NODE, "k8s-w0", {"spec": {"taints": [GPU]}})
    lab_cluster.until(lambda: names(lab_cluster), lambda seen: seen == {"web"}, "only the other node's pod evicted")
