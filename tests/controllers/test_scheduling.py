"""Where pods go, from literals; messages are kube-scheduler's."""

from __future__ import annotations

import pytest

from bgplab.backends.embedded.controllers import scheduling
from bgplab.backends.embedded.controllers.scheduling import node_name_affinity, pinned_node, place
from bgplab.backends.embedded.quantities import amount


def a_node(name: str, *, ready: bool = True, **spec):
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "zone": name[-1]}},
        "spec": spec,
        "status": {"conditions": [{"type": "Ready", "status": str(ready)}]},
    }


def a_pod(name: str = "new", node: str | None = None, labels=None, **spec):
    return {
        "metadata": {"name": name, "namespace": "default", "uid": name, "labels": labels or {}},
        "spec": {**spec, **({"nodeName": node} if node else {})},
    }


def apart(key: str = "kubernetes.io/hostname"):
    """Required anti-affinity to pods labelled app=webpod, as the guide's Deployment has it."""
    term = {"labelSelector": {"matchLabels": {"app": "webpod"}}, "topologyKey": key}
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


WEBPOD = {"app": "webpod"}
NODES = [a_node("ctr"), a_node("w0"), a_node("w1")]


def test_replicas_with_anti_affinity_take_one_node_each():
    pods = []
    for number in range(3):
        pod = a_pod(f"webpod-{number}", labels=WEBPOD, affinity=apart())
        node = place(pod, NODES, pods).node
        pods.append({**pod, "spec": {**pod["spec"], "nodeName": node}})
    assert sorted(pod["spec"]["nodeName"] for pod in pods) == ["ctr", "w0", "w1"]


def test_a_fourth_replica_finds_no_node_and_says_why():
    pods = [a_pod(f"webpod-{node}", node, WEBPOD) for node in ("ctr", "w0", "w1")]
    placement = place(a_pod(labels=WEBPOD, affinity=apart()), NODES, pods)
    assert placement.node is None
    assert placement.message == (
        "0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules. "
        "preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod."
    )


def test_existing_pods_keep_a_newcomer_away():
    pods = [a_pod("loner", "ctr", {}, affinity=apart())]
    placement = place(a_pod(labels=WEBPOD), NODES[:1], pods)
    assert "1 node(s) didn't satisfy existing pods anti-affinity rules" in placement.message


def test_anti_affinity_spans_a_topology_domain():
    nodes = [a_node("a1"), a_node("b1"), a_node("c2")]
    pods = [a_pod("other", "a1", WEBPOD)]
    assert place(a_pod(labels=WEBPOD, affinity=apart("zone")), nodes, pods).node == "c2"


def test_anti_affinity_does_not_look_into_other_namespaces():
    other = a_pod("other", "ctr", WEBPOD)
    other["metadata"]["namespace"] = "elsewhere"
    assert place(a_pod(labels=WEBPOD, affinity=apart()), NODES[:1], [other]).node == "ctr"


def test_each_placed_pod_is_looked_at_as_often_on_a_hundred_nodes_as_on_ten(monkeypatch):
    looked = []
    takes = scheduling._term_takes
    monkeypatch.setattr(scheduling, "_term_takes", lambda *asked: looked.append(asked) or takes(*asked))

    def looks_per_pod(count: int) -> float:
        looked.clear()
        nodes = [a_node(f"w{number:03}") for number in range(count)]
        pods = [a_pod(f"p{number}", f"w{number:03}", WEBPOD, affinity=apart()) for number in range(count - 1)]
        assert place(a_pod(labels=WEBPOD, affinity=apart()), nodes, pods).node == f"w{count - 1:03}"
        return len(looked) / len(pods)

    assert looks_per_pod(100) == looks_per_pod(10)


def test_several_reasons_are_counted_and_sorted():
    taint = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
    nodes = [a_node("ctr", taints=[taint]), a_node("w0"), a_node("w1")]
    pods = [a_pod("one", "w1", WEBPOD)]
    pod = a_pod(labels=WEBPOD, affinity=apart(), nodeSelector={"kubernetes.io/hostname": "w1"})
    assert place(pod, nodes, pods).message == (
        "0/3 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, "
        "1 node(s) didn't match pod anti-affinity rules, "
        "1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }. "
        "preemption: 0/3 nodes are available: 1 No preemption victims found for incoming pod, "
        "2 Preemption is not helpful for scheduling."
    )


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (a_node("ctr", ready=False), "1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }"),
        (a_node("ctr", unschedulable=True), "1 node(s) were unschedulable"),
    ],
)
def test_a_node_that_takes_no_pods_is_avoided(node, text):
    assert text in place(a_pod(), [node], []).message


def test_a_toleration_opens_a_tainted_node():
    taint = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}
    pod = a_pod(tolerations=[{"key": "gpu", "value": "yes", "effect": "NoSchedule"}])
    assert place(pod, [a_node("ctr", taints=[taint])], []).node == "ctr"


def test_a_daemon_pod_goes_to_its_node_only():
    pod = a_pod(affinity={"nodeAffinity": node_name_affinity("w1")})
    assert place(pod, NODES, []).node == "w1"
    assert pinned_node(pod) == "w1"


def test_without_nodes_the_message_says_so():
    assert place(a_pod(), [], []).message == "no nodes available to schedule pods"


def roomy(name: str, cpu: str = "2", memory: str = "4Gi", pods: str = "110"):
    node = a_node(name)
    return {**node, "status": {**node["status"], "allocatable": {"cpu": cpu, "memory": memory, "pods": pods}}}


def asking(name: str = "new", node: str | None = None, *, limits=None, **requests):
    resources = {"requests": requests, "limits": limits or {}}
    return a_pod(name, node, containers=[{"name": "c", "resources": resources}])


def test_requests_are_summed_against_what_a_node_has():
    pods = [asking("one", "w0", cpu="1500m"), asking("two", "w1", memory="3Gi", cpu="0.25")]
    assert place(asking(cpu="600m", memory="512Mi"), [roomy("w0"), roomy("w1")], pods).node == "w1"
    assert place(asking(cpu="500m", memory="4Gi"), [roomy("w0"), roomy("w1")], pods).node == "w0"


def test_every_resource_a_node_lacks_is_named():
    pods = [asking("one", "w0", cpu="2"), asking("two", "w1", cpu="1500m", memory="3G")]
    assert place(asking(cpu="1", memory="2Gi"), [roomy("w0"), roomy("w1")], pods).message == (
        "0/2 nodes are available: 1 Insufficient memory, 2 Insufficient cpu. "
        "preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod."
    )


def test_what_no_empty_node_has_preemption_does_not_help():
    assert place(asking(cpu="3"), [roomy("w0")], []).message == (
        "0/1 nodes are available: 1 Insufficient cpu. "
        "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
    )


def test_a_limit_without_a_request_is_one():
    assert "1 Insufficient cpu" in place(asking(limits={"cpu": "3"}), [roomy("w0")], []).message
    assert place(asking(limits={"cpu": "3"}, cpu="1"), [roomy("w0")], []).node == "w0"


def test_a_node_takes_as_many_pods_as_it_says():
    assert place(a_pod(), [roomy("w0", pods="1")], []).node == "w0"
    assert "1 Too many pods" in place(a_pod(), [roomy("w0", pods="1")], [a_pod("one", "w0")]).message


def test_who_asks_for_nothing_fits_a_full_node():
    assert place(a_pod(), [roomy("w0")], [asking("one", "w0", cpu="2", memory="4Gi")]).node == "w0"


def test_resources_that_a_node_has_none_of_are_insufficient():
    assert "1 Insufficient nvidia.com/gpu" in place(asking(**{"nvidia.com/gpu": "1"}), [roomy("w0")], []).message


def test_init_containers_ask_one_after_the_other():
    pod = asking(cpu="500m")
    pod["spec"]["initContainers"] = [{"name": "i", "resources": {"requests": {"cpu": "3"}}}]
    assert "1 Insufficient cpu" in place(pod, [roomy("w0")], []).message


@pytest.mark.parametrize(
    ("quantity", "number"),
    [
        ("100m", 0.1),
        ("2", 2),
        ("1.5Gi", 1.5 * 2**30),
        ("2e3", 2000),
        ("1E", 10**18),
        ("1k", 1000),
        ("5n", 5e-9),
        ("1e999999999", 1e30),
    ],
)
def test_quantities_are_read_as_the_api_writes_them(quantity, number):
    assert float(amount(quantity)) == pytest.approx(number)


@pytest.mark.parametrize("text", ["", "abc", "1x", "1e", "1..2", ".", "0x1", "1 ", "--1"])
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(ValueError):
        amount(text)


def test_pods_go_where_fewest_are():
    pods = [a_pod("one", "ctr"), a_pod("two", "w0")]
    assert place(a_pod(), NODES, pods).node == "w1"
