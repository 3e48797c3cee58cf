"""What clusters of a mesh and their agents print, read into data."""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv4Network

from bgplab.observe.mesh_agents import Backend, ListedNode, parse_agent, parse_backends, parse_node_list
from bgplab.observe.mesh_connections import Target, read_connections
from bgplab.observe.mesh_install import image_version
from bgplab.observe.mesh_nodes import parse_mesh_node
from bgplab.observe.mesh_services import parse_mesh_service
from bgplab.observe.mesh_sides import in_use
from bgplab.spec.cilium_install import agents, clustermesh_secret, remotes_of
from bgplab.spec.loading import load_lab

MESH = load_lab("mesh")
WEST = MESH.clusters[0]


def service(**annotations: str) -> dict[str, object]:
    given = {key.replace("__", "/").replace("_", "."): value for key, value in annotations.items()}
    return {"metadata": {"name": "webpod", "annotations": given}, "spec": {"clusterIP": "10.2.0.77", "ports": [{}]}}


def test_a_service_without_annotations_is_not_global_and_would_be_shared() -> None:
    seen = parse_mesh_service({"metadata": {"name": "webpod"}, "spec": {}})
    assert (seen.is_global, seen.shared, seen.affinity, seen.cluster_ip) == (False, True, "absent", None)


def test_annotations_are_read_in_any_case_and_by_their_older_names() -> None:
    assert parse_mesh_service(service(service_cilium_io__global="TRUE")).is_global
    assert not parse_mesh_service(service(service_cilium_io__global="yes")).is_global
    assert parse_mesh_service(
        {"metadata": {"name": "w", "annotations": {"io.cilium/global-service": "true"}}}
    ).is_global
    assert parse_mesh_service(service(service_cilium_io__affinity="Local")).affinity == "local"
    assert not parse_mesh_service(service(service_cilium_io__shared="false")).shared


def test_a_node_says_why_it_is_not_ready_and_its_taints() -> None:
    seen = parse_mesh_node(
        {
            "metadata": {"name": "west-worker"},
            "spec": {
                "podCIDR": "10.0.1.0/24",
                "taints": [{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}],
            },
            "status": {"conditions": [{"type": "Ready", "status": "False", "message": "cni plugin not initialized"}]},
        }
    )
    assert (seen.ready, seen.unready) == (False, "cni plugin not initialized")
    assert seen.taints == ("node.kubernetes.io/not-ready:NoSchedule",)


def test_a_remote_cluster_of_which_go_leaves_out_everything_false_is_not_ready() -> None:
    said = {"cluster-mesh": {"clusters": [{"name": "east", "status": "Waiting for initial connection"}]}}
    remote = parse_agent(json.dumps(said)).remotes["east"]
    assert (remote.ready, remote.connected, remote.cluster_id, remote.status) == (
        False,
        False,
        None,
        "Waiting for initial connection",
    )


def test_an_agent_outside_of_a_mesh_knows_no_cluster() -> None:
    assert parse_agent("{}").remotes == {}


def test_the_node_list_names_cluster_node_and_source() -> None:
    said = [{"name": "east/east-worker", "primary-address": {"ipv4": {"ip": "172.18.0.4", "alloc-range": "10.1.1.0/24"}}, "source": "clustermesh"}]  # fmt: skip  # noqa: E501
    assert parse_node_list(json.dumps(said)) == (
        ListedNode("east", "east-worker", IPv4Address("172.18.0.4"), IPv4Network("10.1.1.0/24"), "clustermesh"),
    )
    assert parse_node_list("null") == ()


def listed(*backends: tuple[str, str, bool]) -> str:
    addresses = [{"ip": ip, "port": 80, "state": state, "preferred": preferred} for ip, state, preferred in backends]
    front = {"frontend-address": {"ip": "10.2.0.77", "port": 80}, "backend-addresses": addresses}
    other = {"frontend-address": {"ip": "10.2.0.10", "port": 53}, "backend-addresses": []}
    return json.dumps([{"spec": one, "status": {"realized": one}} for one in (other, front)])


def test_the_backends_are_those_of_the_services_own_frontend() -> None:
    text = listed(("10.0.1.75", "active", True), ("10.1.1.36", "active", False))
    assert parse_backends(text, IPv4Address("10.2.0.77"), 80) == (
        Backend(IPv4Address("10.0.1.75"), "active", True),
        Backend(IPv4Address("10.1.1.36"), "active", False),
    )
    assert parse_backends(text, None, 80) == ()


def test_preferred_active_backends_are_in_use_and_all_active_ones_where_none_is_preferred() -> None:
    own, other = IPv4Address("10.0.1.75"), IPv4Address("10.1.1.36")
    pods = {own: "w1", other: "e1"}
    assert in_use((Backend(own, "active", True), Backend(other, "active", False)), pods) == {"w1"}
    assert in_use((Backend(own, "terminating", True), Backend(other, "active", False)), pods) == {"e1"}
    assert in_use((Backend(own, "active", False), Backend(IPv4Address("10.9.9.9"), "active", False)), pods) == {
        "w1",
        "10.9.9.9",
    }
    assert in_use((), pods) == frozenset()


class OneCluster:
    """A cluster that has the objects of one connected side."""

    name = "west"

    def get(self, kind: object, name: str, namespace: str | None = None) -> dict[str, object] | None:
        remotes = remotes_of(MESH, WEST)
        return {"cilium-clustermesh": clustermesh_secret(remotes), "cilium": agents(WEST, remotes)}.get(name)


def test_where_a_cluster_looks_for_another_is_read_from_its_secret_and_host_aliases() -> None:
    seen = read_connections(OneCluster())  # type: ignore[arg-type]
    assert seen == {"east": Target("east.mesh.cilium.io", 32380, "172.18.0.5")}


def test_the_version_is_the_tag_of_the_agents_image() -> None:
    manifest = agents(WEST)
    assert image_version(manifest) == "1.17.6"
    manifest["spec"]["template"]["spec"]["containers"][0]["image"] = "quay.io/cilium/cilium:v1.18.0@sha256:ab"
    assert image_version(manifest) == "1.18.0"
