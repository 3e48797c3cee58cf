"""Several clusters in one lab, which come up without a network plugin and get it by installing Cilium."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from bgplab.backends.embedded import launch
from bgplab.lab import directory as labs
from bgplab.lab.cluster import DAEMON_SET, EVENT, NODE, POD, SECRET, Cluster, Manifest
from bgplab.lab.model import Lab
from bgplab.lab.opening import open_lab
from bgplab.lab.waiting import Deadline, wait_until
from bgplab.spec.cilium_install import agents, certificates, enable, install, remote_of
from bgplab.spec.loading import load_lab
from bgplab.spec.manifests import sample_app
from bgplab.spec.mesh_certificates import decoded, make_authority
from bgplab.spec.model import ClusterSpec, LabSpec

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("several-clusters")]

PATIENCE_SECONDS = 30.0
MESH = load_lab("mesh")
WEST, EAST = MESH.clusters
NOW = datetime.now(UTC)
AUTHORITY = make_authority(NOW)
CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
NOT_READY = "node.kubernetes.io/not-ready"


@pytest.fixture(scope="module")
def mesh(bring_up: Callable[..., launch.Started]) -> Lab:
    return open_lab(labs.access_to(bring_up(MESH).record))


@pytest.fixture
def west(mesh: Lab) -> Iterator[Cluster]:
    """A cluster as it came up; what a test puts into it is gone afterwards."""
    cluster = mesh.clusters["west"]
    yield cluster
    clean(cluster)


def clean(cluster: Cluster) -> None:
    for kind in (DAEMON_SET, *(cluster.kind_of(one) for one in sample_app(WEST)[:2])):
        for found in cluster.list(kind):
            cluster.delete(kind, found["metadata"]["name"], found["metadata"]["namespace"])
    for kind in (cluster.kind_of(one) for one in install(MESH, WEST, AUTHORITY, NOW)):
        for found in cluster.list(kind, "kube-system"):
            if found["metadata"]["name"] != "kube-dns":
                cluster.delete(kind, found["metadata"]["name"], "kube-system")
    for pod in cluster.list(POD):
        cluster.delete(POD, pod["metadata"]["name"], pod["metadata"]["namespace"], grace_period_seconds=1)
    until(lambda: cluster.list(POD), lambda pods: pods == [], "no pod is left")
    until(lambda: ready_nodes(cluster), lambda ready: ready == set(), "no node is ready")
    for node in WEST.nodes:
        wanted = [{"key": CONTROL_PLANE, "effect": "NoSchedule"}] if node.control_plane else []
        taints = [*wanted, {"key": NOT_READY, "effect": "NoSchedule"}]
        cluster.patch(NODE, node.name, {"spec": {"taints": taints}})


def until(look: Callable[[], Any], holds: Callable[[Any], bool], what: str) -> Any:
    return wait_until(look, holds, Deadline.after(PATIENCE_SECONDS), what, every=0.05)


def put(cluster: Cluster, manifests: list[Manifest]) -> None:
    for manifest in manifests:
        cluster.apply(manifest)


def ready_nodes(cluster: Cluster) -> set[str]:
    return {node["metadata"]["name"] for node in cluster.list(NODE) if ready_condition(node)["status"] == "True"}


def ready_condition(node: Manifest) -> Manifest:
    (condition,) = (one for one in node["status"]["conditions"] if one["type"] == "Ready")
    return condition


def taints_of(cluster: Cluster) -> dict[str, set[str]]:
    return {
        node["metadata"]["name"]: {taint["key"] for taint in node["spec"].get("taints", ())}
        for node in cluster.list(NODE)
    }


def running_agents(cluster: Cluster) -> dict[str, Manifest]:
    """Agent pods by node; only those that are ready and not ending."""
    return {
        pod["spec"]["nodeName"]: pod
        for pod in cluster.list(POD, "kube-system", labels="k8s-app=cilium")
        if "deletionTimestamp" not in pod["metadata"]
        and all(one["ready"] for one in pod.get("status", {}).get("containerStatuses", [{"ready": False}]))
    }


def installed(cluster: Cluster, spec: ClusterSpec = WEST) -> None:
    put(cluster, install(MESH, spec, AUTHORITY, NOW))
    names = {node.name for node in spec.nodes}
    until(lambda: ready_nodes(cluster), lambda ready: ready == names, "every node is ready")
    until(lambda: set(running_agents(cluster)), lambda nodes: nodes == names, "an agent runs on every node")


def untaint(cluster: Cluster, name: str) -> None:
    until(lambda: taints_of(cluster)[name], lambda taints: NOT_READY not in taints, "the taint not-ready is gone")
    cluster.patch(NODE, name, {"spec": {"taints": None}})


def answers(cluster: Cluster, count: int = 12) -> set[str]:
    """Who answered the client pod's requests to the Service."""
    script = f"for i in $(seq {count}); do curl -s --max-time 3 webpod || exit; done"
    said = cluster.exec("curl-pod", ["sh", "-c", script])
    return {line.split()[1] for line in said.stdout.splitlines() if line.startswith("Hostname:")}


# One lab, two APIs ---------------------------------------------------------------------------------------------------


def test_one_kubeconfig_leads_kubectl_to_each_cluster_by_its_context(mesh: Lab) -> None:
    record = next(one for one in labs.standing_labs() if one.name == mesh.name)
    access = labs.access_to(record)
    assert access.contexts == {"west": "kind-west", "east": "kind-east"}
    for cluster in MESH.clusters:
        command = ["kubectl", "--kubeconfig", str(access.kubeconfig), "--context", cluster.context_name]
        said = subprocess.run([*command, "get", "nodes", "-o", "json"], capture_output=True, check=True, timeout=30)
        names = {node["metadata"]["name"] for node in json.loads(said.stdout)["items"]}
        assert names == {node.name for node in cluster.nodes}


def test_nodes_of_different_clusters_reach_each_other(mesh: Lab) -> None:
    for node in EAST.nodes:
        assert mesh.hosts["west-worker"].run(["ping", "-c1", "-W2", str(node.address)]).exit_status == 0


# Before the installation ---------------------------------------------------------------------------------------------


def test_without_a_network_plugin_nodes_are_not_ready_and_say_why(west: Cluster) -> None:
    for node in west.list(NODE):
        condition = ready_condition(node)
        assert (condition["status"], condition["reason"]) == ("False", "KubeletNotReady")
        assert condition["message"].endswith("cni plugin not initialized")
    assert taints_of(west) == {"west-control-plane": {CONTROL_PLANE, NOT_READY}, "west-worker": {NOT_READY}}


def test_without_a_network_plugin_there_is_no_route_to_pods(mesh: Lab, west: Cluster) -> None:
    routes = mesh.hosts["west-worker"].run(["ip", "route"]).stdout
    assert "172.18.0.0/16" in routes
    assert "10.0." not in routes


def test_a_pod_on_a_node_without_a_network_waits_and_says_so(west: Cluster) -> None:
    put(west, sample_app(WEST))
    pod = until(
        lambda: west.get(POD, "curl-pod", "default"),
        lambda seen: bool(seen and seen.get("status", {}).get("containerStatuses")),
        "the kubelet has looked at the pod",
    )
    assert pod["status"]["phase"] == "Pending"
    assert [one["state"] for one in pod["status"]["containerStatuses"]] == [
        {"waiting": {"reason": "ContainerCreating"}}
    ]
    until(
        lambda: [event["reason"] for event in west.list(EVENT, "default")],
        lambda reasons: "NetworkNotReady" in reasons and "FailedScheduling" in reasons,
        "events that say why the pods wait",
    )
    waiting = [pod for pod in west.list(POD, "default") if pod["metadata"]["name"].startswith("webpod")]
    assert len(waiting) == 2
    assert not any(pod["spec"].get("nodeName") for pod in waiting)


# The installation ----------------------------------------------------------------------------------------------------


def test_installing_cilium_makes_nodes_ready_and_waiting_pods_run(west: Cluster) -> None:
    put(west, sample_app(WEST))
    installed(west)
    until(
        lambda: west.get(POD, "curl-pod", "default"),
        lambda pod: pod["status"].get("phase") == "Running",
        "the client runs",
    )
    until(lambda: answers(west), lambda seen: len(seen) == 1, "the one pod beside the tainted node answers")
    untaint(west, "west-control-plane")
    until(lambda: answers(west, 40), lambda seen: len(seen) == 2, "pods of both nodes answer")
    assert taints_of(west) == {"west-control-plane": set(), "west-worker": set()}


def test_the_other_cluster_is_not_touched_by_an_installation(mesh: Lab, west: Cluster) -> None:
    installed(west)
    assert ready_nodes(mesh.clusters["east"]) == set()
    assert mesh.clusters["east"].list(DAEMON_SET) == []


def test_an_agent_knows_the_version_and_the_cluster_it_was_installed_as(west: Cluster) -> None:
    installed(west)
    pod = running_agents(west)["west-worker"]["metadata"]["name"]
    listed = west.exec(pod, ["cilium", "node", "list"], namespace="kube-system").stdout
    assert "west/west-worker" in listed
    assert "west/west-control-plane" in listed
    assert "1.17.6" in west.exec(pod, ["cilium", "version"], namespace="kube-system").stdout


def test_a_changed_template_restarts_all_agents_and_connections_go_on(mesh: Lab, west: Cluster) -> None:
    put(west, sample_app(WEST))
    installed(west)
    until(lambda: len(answers(west)), lambda count: count == 1, "the application answers")
    before = {node: pod["metadata"]["uid"] for node, pod in running_agents(west).items()}
    west.apply(agents(WEST, [remote_of(EAST)]))
    after = until(
        lambda: {node: pod for node, pod in running_agents(west).items() if pod["metadata"]["uid"] != before[node]},
        lambda pods: set(pods) == set(before),
        "every agent has been replaced",
    )
    for pod in after.values():
        assert pod["spec"]["hostAliases"] == [{"ip": "172.18.0.5", "hostnames": ["east.mesh.cilium.io"]}]
    assert ready_nodes(west) == set(before)
    until(
        lambda: west.get(DAEMON_SET, "cilium", "kube-system"),
        lambda seen: seen["status"].get("updatedNumberScheduled") == seen["status"].get("numberReady") == 2,
        "the DaemonSet is rolled out",
    )
    assert len(answers(west)) == 1


def test_deleting_the_daemon_set_undoes_the_installation_and_another_one_mends_it(mesh: Lab, west: Cluster) -> None:
    put(west, sample_app(WEST))
    installed(west)
    until(lambda: len(answers(west)), lambda count: count == 1, "the application answers")
    west.delete(DAEMON_SET, "cilium", "kube-system")
    until(lambda: ready_nodes(west), lambda ready: ready == set(), "no node is ready")
    until(lambda: west.list(POD, "kube-system", labels="k8s-app=cilium"), lambda pods: pods == [], "no agent is left")
    until(lambda: taints_of(west)["west-worker"], lambda taints: taints == {NOT_READY}, "the worker is tainted again")
    host = mesh.hosts["west-worker"]
    until(
        lambda: host.run(["nft", "list", "tables"]).stdout + host.run(["ip", "route", "show", "10.0.0.0/24"]).stdout,
        lambda left: left.strip() == "",
        "tables and routes are gone",
    )
    installed(west)
    until(lambda: len(answers(west)), lambda count: count == 1, "pods that ran all along answer again")


# What pods mount -----------------------------------------------------------------------------------------------------


def test_a_pod_waits_for_the_secret_it_mounts_and_has_its_files_then(west: Cluster) -> None:
    installed(west)
    untaint(west, "west-control-plane")
    made = enable(MESH, WEST, AUTHORITY, NOW)
    put(west, [each for each in made if each["kind"] in ("ServiceAccount", "Deployment")])
    events = until(
        lambda: [event for event in west.list(EVENT, "kube-system") if event["reason"] == "FailedMount"],
        lambda seen: seen != [],
        "an event that names the missing secret",
    )
    assert 'secret "clustermesh-apiserver-server-cert" not found' in events[0]["message"]
    secrets = certificates(WEST, AUTHORITY, NOW)
    put(west, secrets)

    def look() -> str:
        with contextlib.suppress(StopIteration):
            pods = west.list(POD, "kube-system", labels="k8s-app=clustermesh-apiserver")
            pod = next(pod for pod in pods if pod["status"].get("phase") == "Running")
            argv = ["cat", "/var/lib/etcd-secrets/tls.crt"]
            name = pod["metadata"]["name"]
            return west.exec(name, argv, namespace="kube-system", container="etcd", check=False).stdout
        return ""

    there = west.get(SECRET, "clustermesh-apiserver-server-cert", "kube-system")
    assert there is not None
    first = until(look, lambda seen: seen.startswith("-----BEGIN CERTIFICATE-----"), "the certificate is in the pod")
    assert first == decoded(there["data"]["tls.crt"])
    put(west, certificates(WEST, AUTHORITY, NOW))
    until(look, lambda seen: seen.startswith("-----BEGIN CERTIFICATE-----") and seen != first, "its successor is, too")


def test_three_clusters_come_up_as_two_do(bring_up: Callable[..., launch.Started]) -> None:
    spec: LabSpec = load_lab("three-clusters")
    lab = open_lab(labs.access_to(bring_up(spec).record))
    seen = {name: {node["metadata"]["name"] for node in cluster.list(NODE)} for name, cluster in lab.clusters.items()}
    assert seen == {cluster.name: {node.name for node in cluster.nodes} for cluster in spec.clusters}
    north = next(cluster for cluster in spec.clusters if cluster.name == "north")
    put(lab.clusters["north"], install(spec, north, AUTHORITY, NOW))
    until(lambda: ready_nodes(lab.clusters["north"]), lambda ready: len(ready) == 2, "north's nodes are ready")
    assert ready_nodes(lab.clusters["west"]) == ready_nodes(lab.clusters["east"]) == set()
