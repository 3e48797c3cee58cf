"""Two clusters in one lab, joined by hand with the objects of `bgplab/spec/cilium_install`: real etcds, real TLS,
real packets."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from bgplab.backends.embedded import launch
from bgplab.lab import directory as labs
from bgplab.lab.cluster import DEPLOYMENT, NODE, POD, SECRET, SERVICE, Cluster, Manifest
from bgplab.lab.model import Lab
from bgplab.lab.opening import open_lab
from bgplab.lab.waiting import Deadline, wait_until
from bgplab.spec.cilium_install import certificates
from bgplab.spec.loading import load_lab
from bgplab.spec.mesh_certificates import make_authority
from bgplab.spec.mesh_manifests import by_cluster
from bgplab.spec.model import LabSpec

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("mesh")]

SYSTEM = "kube-system"
OTHER = {"west": "east", "east": "west"}
NODES = {
    ("west", "west-control-plane", "172.18.0.3", "10.0.0.0/24"),
    ("west", "west-worker", "172.18.0.2", "10.0.1.0/24"),
    ("east", "east-control-plane", "172.18.0.5", "10.1.0.0/24"),
    ("east", "east-worker", "172.18.0.4", "10.1.1.0/24"),
}


#: Error numbers of connections that block, and how long the slowest took.
BLOCKING_CONNECTS = """
import socket, time
address, slowest = socket.gethostbyname("webpod"), 0.0
for _ in range(5):
    connection, started = socket.socket(), time.monotonic()
    try:
        connection.connect((address, 80))
    except OSError as fault:
        print(fault.errno)
    slowest = max(slowest, time.monotonic() - started)
print(slowest)
"""


@pytest.fixture(scope="module")
def spec() -> LabSpec:
    return load_lab("mesh")


@pytest.fixture(scope="module")
def mesh(bring_up: Callable[..., launch.Started], spec: LabSpec) -> Lab:
    """Installed, enabled, connected, untainted, with the global Service and its clients in both clusters."""
    lab = open_lab(labs.access_to(bring_up(spec).record))
    manifests = by_cluster(spec)

    def apply(step: str) -> None:
        for name, cluster in lab.clusters.items():
            for manifest in manifests[name][step]:
                cluster.apply(manifest)

    apply("M02")
    eventually(lambda: all(ready_nodes(cluster) == 2 for cluster in lab.clusters.values()), "nodes are Ready")
    apply("M04")
    eventually(partial(all_run, lab, "clustermesh-apiserver", 1), "clustermesh-apiserver runs in both clusters")
    apply("M05")
    eventually(lambda: all(connected(cluster) for cluster in lab.clusters.values()), "connected")
    for cluster in lab.clusters.values():
        for node in cluster.list(NODE):
            cluster.patch(NODE, node["metadata"]["name"], {"spec": {"taints": None}})
    apply("M08")
    apply("M09")
    for prefix, count in (("webpod", 2), ("curl-pod", 1)):
        eventually(partial(all_run, lab, prefix, count), f"{prefix} runs in both clusters")
    eventually(lambda: all(len(backends(one)) == 4 for one in lab.clusters.values()), "four backends everywhere")
    return lab


@pytest.fixture(autouse=True)
def as_before(mesh: Lab) -> Iterator[None]:
    """After each test: no affinity, two pods on each side."""
    yield
    for cluster in mesh.clusters.values():
        annotate(cluster, affinity=None, shared=None)
        scale(cluster, 2)
    eventually(lambda: all(len(backends(one)) == 4 for one in mesh.clusters.values()), "four backends again")


def eventually(holds: Callable[[], object], what: str, seconds: float = 30.0) -> None:
    wait_until(holds, holds=bool, within=Deadline.after(seconds), what=what)


def named(cluster: Cluster, prefix: str) -> list[Manifest]:
    return [pod for pod in cluster.list(POD) if pod["metadata"]["name"].startswith(prefix)]


def runs(cluster: Cluster, prefix: str, count: int) -> bool:
    pods = [pod for pod in named(cluster, prefix) if "deletionTimestamp" not in pod["metadata"]]
    statuses = [status for pod in pods for status in pod.get("status", {}).get("containerStatuses", [])]
    return len(pods) == count and bool(statuses) and all(status["ready"] for status in statuses)


def all_run(lab: Lab, prefix: str, count: int) -> bool:
    return all(runs(cluster, prefix, count) for cluster in lab.clusters.values())


def ready_nodes(cluster: Cluster) -> int:
    conditions = [one for node in cluster.list(NODE) for one in node["status"]["conditions"]]
    return sum((one["type"], one["status"]) == ("Ready", "True") for one in conditions)


def agents(cluster: Cluster) -> dict[str, str]:
    """Node → its running agent's pod."""
    return {
        pod["spec"]["nodeName"]: pod["metadata"]["name"]
        for pod in cluster.list(POD, SYSTEM, labels="k8s-app=cilium")
        if "deletionTimestamp" not in pod["metadata"] and "nodeName" in pod["spec"]
    }


def ask(cluster: Cluster, pod: str, *words: str) -> str:
    return cluster.exec(pod, ["cilium", *words], namespace=SYSTEM).stdout


def remotes(cluster: Cluster) -> list[Mapping[str, Any]]:
    """The remote cluster as each agent has it."""
    found = [json.loads(ask(cluster, pod, "status", "-o", "json")) for pod in agents(cluster).values()]
    return [one for status in found for one in status["cluster-mesh"]["clusters"]]


def connected(cluster: Cluster) -> bool:
    # right after `connect` the agents are restarted, and then there is nobody to ask for a moment
    states = [
        cluster.exec(pod, ["cilium", "status", "-o", "json"], namespace=SYSTEM, check=False)
        for pod in agents(cluster).values()
    ]
    clusters = [json.loads(one.stdout)["cluster-mesh"]["clusters"] for one in states if one.exit_status == 0]
    return [len(one) for one in clusters] == [1, 1] and all(one[0].get("ready") for one in clusters)


def backends(cluster: Cluster, pod: str = "") -> dict[str, bool]:
    """The global Service's backends as an agent lists them, and whether each is preferred."""
    listed = json.loads(ask(cluster, pod or min(agents(cluster).values()), "service", "list", "-o", "json"))
    return {
        one["ip"]: one.get("preferred", False)
        for service in listed
        if service["spec"]["flags"]["name"] == "webpod"
        for one in service["status"]["realized"]["backend-addresses"]
    }


def addresses(cluster: Cluster) -> set[str]:
    return {pod["status"]["podIP"] for pod in named(cluster, "webpod") if "deletionTimestamp" not in pod["metadata"]}


def answers(cluster: Cluster, requests: int = 60) -> tuple[Counter[str], set[str]]:
    """Who answered the client pod of a cluster, and which addresses they saw."""
    script = f"for i in $(seq {requests}); do curl -sS --connect-timeout 2 webpod || echo Hostname: exit $?; done"
    lines = cluster.exec("curl-pod", ["sh", "-c", script], timeout=120).stdout.splitlines()
    seen = {line.split()[1].rsplit(":", 1)[0] for line in lines if line.startswith("RemoteAddr:")}
    return Counter(line.split(None, 1)[1] for line in lines if line.startswith("Hostname:")), seen


def pod_names(*clusters: Cluster) -> set[str]:
    pods = [pod["metadata"] for cluster in clusters for pod in named(cluster, "webpod")]
    return {pod["name"] for pod in pods if "deletionTimestamp" not in pod}


def annotate(cluster: Cluster, **values: str | None) -> None:
    annotations = {f"service.cilium.io/{key}": value for key, value in values.items()}
    cluster.patch(SERVICE, "webpod", {"metadata": {"annotations": annotations}}, "default")


def scale(cluster: Cluster, replicas: int) -> None:
    cluster.patch(DEPLOYMENT, "webpod", {"spec": {"replicas": replicas}}, "default")


@pytest.mark.parametrize("name", ["west", "east"])
def test_every_agent_is_connected_to_the_other_clusters_etcd(mesh: Lab, name: str) -> None:
    found = remotes(mesh.clusters[name])
    assert [(one["name"], one["ready"], one["num-nodes"]) for one in found] == [(OTHER[name], True, 2)] * 2
    assert all(one["status"].startswith("etcd: 1/1 connected") for one in found)
    pod = min(agents(mesh.clusters[name]).values())
    text = ask(mesh.clusters[name], pod, "status", "--all-clusters")
    assert "ClusterMesh:   1/1 remote clusters ready, 1 global-services" in text
    assert f"   {OTHER[name]}: ready, 2 nodes, " in text


@pytest.mark.parametrize("name", ["west", "east"])
def test_every_agent_lists_the_nodes_of_both_clusters(mesh: Lab, name: str) -> None:
    for node, pod in agents(mesh.clusters[name]).items():
        listed = json.loads(ask(mesh.clusters[name], pod, "node", "list", "-o", "json"))
        sources = {one["name"]: one["source"] for one in listed}
        ipv4 = {one["name"]: one["primary-address"]["ipv4"] for one in listed}
        assert {(*key.split("/"), one["ip"], one["alloc-range"]) for key, one in ipv4.items()} == NODES
        own, other = f"{name}/{node}", OTHER[name]
        assert sources[own] == "local"
        assert {source for key, source in sources.items() if key.startswith(other)} == {"clustermesh"}


@pytest.mark.parametrize("name", ["west", "east"])
def test_four_pods_in_two_clusters_answer_and_see_the_clients_own_address(mesh: Lab, name: str) -> None:
    client = mesh.clusters[name].get(POD, "curl-pod", "default")
    assert client is not None
    counts, seen = answers(mesh.clusters[name])
    assert set(counts) == pod_names(*mesh.clusters.values())
    assert seen == {client["status"]["podIP"]}


def test_affinity_marks_and_binds_until_the_side_it_prefers_has_nobody(mesh: Lab) -> None:
    west, east = mesh.clusters["west"], mesh.clusters["east"]
    own, other = addresses(west), addresses(east)
    annotate(west, affinity="local")
    eventually(lambda: backends(west) == dict.fromkeys(own, True) | dict.fromkeys(other, False), "local preferred")
    assert set(answers(west, 20)[0]) == pod_names(west)
    scale(west, 0)
    eventually(lambda: set(backends(west)) == other, "nobody is left in west")
    assert set(answers(west, 20)[0]) == pod_names(east)
    scale(west, 2)
    eventually(lambda: len(backends(west)) == 4, "west has pods again")
    assert set(answers(west, 20)[0]) == pod_names(west)
    annotate(west, affinity="remote")
    eventually(lambda: {one for one, preferred in backends(west).items() if preferred} == other, "remote preferred")
    assert set(answers(west, 20)[0]) == pod_names(east)


def test_a_cluster_that_does_not_share_keeps_its_pods_and_nobody_left_is_said_at_once(mesh: Lab) -> None:
    west, east = mesh.clusters["west"], mesh.clusters["east"]
    annotate(east, shared="false")
    scale(west, 0)
    eventually(lambda: backends(west) == {}, "west has nobody")
    eventually(lambda: len(backends(east)) == 2, "east has its own only")
    done = west.exec("curl-pod", ["curl", "-sS", "--connect-timeout", "5", "webpod"], check=False)
    assert done.exit_status == 7
    said = west.exec("curl-pod", ["python3", "-c", BLOCKING_CONNECTS]).stdout.split()
    assert said[:-1] == ["113"] * 5  # EHOSTUNREACH
    assert float(said[-1]) < 0.5  # a SYN that is sent again goes out after a second


def test_an_etcd_that_is_killed_comes_back_and_meanwhile_everybody_is_still_known(mesh: Lab) -> None:
    west, east = mesh.clusters["west"], mesh.clusters["east"]
    (apiserver,) = named(east, "clustermesh-apiserver")
    before = backends(west)
    east.exec(apiserver["metadata"]["name"], ["pkill", "-9", "etcd"], namespace=SYSTEM, container="etcd")
    assert backends(west) == before
    assert set(answers(west)[0]) == pod_names(west, east)
    scale(east, 1)
    eventually(lambda: len(backends(west)) == 3, "west hears of east again")


def test_agents_that_are_restarted_go_on_with_what_they_knew(mesh: Lab) -> None:
    west = mesh.clusters["west"]
    before = agents(west)
    for pod in before.values():
        west.delete(POD, pod, SYSTEM)
    counts, _ = answers(west, 30)
    assert set(counts) == pod_names(*mesh.clusters.values())
    eventually(lambda: not set(before.values()) & set(agents(west).values()) and connected(west), "new agents")
    assert len(backends(west)) == 4


def test_without_the_other_etcd_the_last_known_state_stays(mesh: Lab, spec: LabSpec) -> None:
    west, east = mesh.clusters["west"], mesh.clusters["east"]
    before = backends(west)
    east.patch(DEPLOYMENT, "clustermesh-apiserver", {"spec": {"replicas": 0}}, SYSTEM)
    eventually(lambda: not named(east, "clustermesh-apiserver"), "the etcd is gone")
    scale(east, 1)
    eventually(lambda: len(backends(east)) == 3, "east itself knows")
    assert backends(west) == before
    # east's other pod is gone, and west does not know: some connections find nobody
    counts, _ = answers(west, 16)
    assert {one for one in counts if not one.startswith("exit")} == pod_names(west, east)
    east.patch(DEPLOYMENT, "clustermesh-apiserver", {"spec": {"replicas": 1}}, SYSTEM)
    eventually(lambda: [len(backends(west, pod)) for pod in agents(west).values()] == [3, 3], "west hears of east", 60)
    assert connected(west)
    assert [one["num-failures"] for one in remotes(west)] == [1, 1]  # etcd cluster ID has changed


def test_a_certificate_of_another_authority_is_refused_and_the_status_says_so(mesh: Lab, spec: LabSpec) -> None:
    west = mesh.clusters["west"]
    name = "clustermesh-apiserver-remote-cert"
    kept = west.get(SECRET, name, SYSTEM)
    assert kept is not None
    now = datetime.now(UTC)
    strange = certificates(spec.clusters[0], make_authority(now), now)
    (other,) = [one for one in strange if one["metadata"]["name"] == name]
    before = backends(west)
    west.patch(SECRET, name, {"data": other["data"]}, SYSTEM)
    eventually(
        lambda: all("certificate signed by unknown authority" in one["status"] for one in remotes(west)), "refused"
    )
    assert not any(one.get("ready") or one.get("connected") for one in remotes(west))
    assert backends(west) == before
    west.patch(SECRET, name, {"data": kept["data"]}, SYSTEM)
    eventually(lambda: connected(west), "connected again")
