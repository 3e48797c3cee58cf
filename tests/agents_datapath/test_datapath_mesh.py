"""Backends of another cluster in a node's table: pod web-b plays one, with connections through the kernel."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from datapath_world import (
    CLIENT,
    CLUSTER_IP,
    NODE_A,
    NODE_B,
    VIP,
    WEB_A,
    WEB_B,
    FakeInformers,
    Reply,
    World,
    ask,
    ask_on,
    endpoint_slice,
    node_path,
    service,
    wait_for,
)

from bgplab.backends.embedded.agents.datapath import NodePath, ServiceDataPath
from bgplab.backends.embedded.agents.datapath.ruleset import plan_of
from bgplab.backends.embedded.agents.datapath.services import OtherClusters, services_of
from bgplab.backends.embedded.agents.mesh.remote_store import RemoteBackend, RemoteNode, RemoteService
from bgplab.backends.embedded.agents.mesh.versions import behaviour_of
from bgplab.lab.cluster import ENDPOINT_SLICE, SERVICE, Manifest

GLOBAL = "service.cilium.io/global"
AFFINITY = "service.cilium.io/affinity"


def shared(*addresses: str, port_name: str = "") -> RemoteService:
    backends = tuple(RemoteBackend(IPv4Address(one), 80, "tcp", port_name) for one in addresses)
    return RemoteService("east", "default", "webpod", backends)


def global_service(affinity: str = "", **spec: Any) -> Manifest:
    manifest = service(**spec)
    annotations = {GLOBAL: "true"} | ({AFFINITY: affinity} if affinity else {})
    return {**manifest, "metadata": {**manifest["metadata"], "annotations": annotations}}


class View:
    """What node a has heard of the other cluster."""

    def __init__(self) -> None:
        self.shared: tuple[RemoteService, ...] = ()

    def nodes(self) -> tuple[RemoteNode, ...]:
        return (RemoteNode("east", "east-worker", IPv4Address(NODE_B), IPv4Network("172.20.1.0/24")),)

    def services(self) -> tuple[RemoteService, ...]:
        return self.shared


class Mesh:
    def __init__(self, world: World, stop: threading.Event) -> None:
        self.informers, self.view, self.world = FakeInformers(), View(), world
        self.paths = ServiceDataPath(self.informers, stop, behaviour=behaviour_of("1.17.6"))  # type: ignore[arg-type]
        self.paths.add(node_path("a"), world.a, self.view)

    def become(self, affinity: str, local: tuple[str, ...], remote: tuple[str, ...], **spec: Any) -> None:
        self.informers.of(SERVICE).put(global_service(affinity, **spec))
        self.informers.of(ENDPOINT_SLICE).put(endpoint_slice(*((one, "a") for one in local)))
        self.view.shared = (shared(*remote),)
        self.paths.others_changed()
        wait_for(lambda: self.paths.is_current("a"), "the table follows")

    def answers(self, requests: int = 40) -> set[str]:
        return {ask(self.world.client, CLUSTER_IP).pod for _ in range(requests)}


@pytest.fixture
def mesh(world: World, stop: threading.Event) -> Iterator[Mesh]:
    made = Mesh(world, stop)
    yield made
    made.become("", (), ())


@pytest.mark.parametrize(
    ("affinity", "local", "remote", "expected"),
    [
        ("", (WEB_A,), (WEB_B,), {"web-a", "web-b"}),
        ("local", (WEB_A,), (WEB_B,), {"web-a"}),
        ("remote", (WEB_A,), (WEB_B,), {"web-b"}),
        ("local", (), (WEB_B,), {"web-b"}),
        ("remote", (WEB_A,), (), {"web-a"}),
    ],
)
def test_who_answers_follows_from_affinity_and_from_who_is_there(
    mesh: Mesh, affinity: str, local: tuple[str, ...], remote: tuple[str, ...], expected: set[str]
) -> None:
    mesh.become(affinity, local, remote)
    assert mesh.answers() == expected


def test_a_remote_backend_sees_the_pods_own_address(mesh: Mesh) -> None:
    mesh.become("", (), (WEB_B,))
    assert ask(mesh.world.client, CLUSTER_IP) == Reply("web-b", CLIENT)


def test_a_change_of_affinity_moves_new_connections_and_leaves_the_others(mesh: Mesh) -> None:
    mesh.become("remote", (WEB_A,), (WEB_B,))
    with mesh.world.client.socket() as connection:
        connection.settimeout(2.0)
        connection.connect((CLUSTER_IP, 80))
        assert ask_on(connection, last=False).pod == "web-b"
        mesh.become("local", (WEB_A,), (WEB_B,))
        assert (mesh.answers(), ask_on(connection).pod) == ({"web-a"}, "web-b")


def test_with_nobody_on_either_side_a_pod_fails_with_no_route_to_host(mesh: Mesh) -> None:
    mesh.become("", (), ())
    with pytest.raises(OSError) as raised:
        ask(mesh.world.client, CLUSTER_IP)
    assert raised.value.errno == errno.EHOSTUNREACH


def test_policy_local_lets_remote_backends_pass_because_they_name_no_node(mesh: Mesh) -> None:
    mesh.become("", (), (WEB_B,), externalTrafficPolicy="Local")
    assert ask(mesh.world.router, NODE_A, port=30080).pod == "web-b"


def ports(behaviour: str, remote: RemoteService, name: str = "") -> list[str]:
    manifest = global_service(ports=[{"port": 80, "protocol": "TCP"} | ({"name": name} if name else {})])
    (parsed,) = services_of([manifest], [], OtherClusters((remote,), behaviour_of(behaviour)))
    return [str(backend.address) for backend in parsed.ports[0].backends]


def test_a_port_takes_the_backends_of_the_port_with_its_name() -> None:
    assert ports("1.17.6", shared(WEB_B, port_name="http"), "http") == [WEB_B]
    assert ports("1.17.6", shared(WEB_B, port_name="http"), "other") == []


@pytest.mark.parametrize(("version", "expected"), [("1.17.6", []), ("1.18.1", [WEB_B])])
def test_an_unnamed_port_takes_any_port_of_its_protocol_since_1_18_1(version: str, expected: list[str]) -> None:
    assert ports(version, shared(WEB_B)) == [WEB_B]
    assert ports(version, shared(WEB_B, port_name="http")) == expected


def test_a_service_that_is_not_global_takes_nothing() -> None:
    (parsed,) = services_of([service()], [endpoint_slice((WEB_A, "a"))], OtherClusters((shared(WEB_B),)))
    assert [str(backend.address) for backend in parsed.ports[0].backends] == [WEB_A]


def test_several_clusters_backends_are_all_equally_likely() -> None:
    more = RemoteService("north", "default", "webpod", shared(VIP).backends)
    (parsed,) = services_of([global_service()], [endpoint_slice((WEB_A, "a"))], OtherClusters((shared(WEB_B), more)))
    node = NodePath("a", IPv4Address(NODE_A), (IPv4Address(NODE_A),), IPv4Network("172.20.0.0/24"))
    (choice,) = plan_of([parsed], node).table.chains["east-west/default/webpod/tcp/80"].rules
    assert "numgen random mod 3 map" in choice


@pytest.mark.parametrize(("version", "mistaken"), [("1.17.6", True), ("1.18.1", False)])
def test_up_to_1_18_0_a_node_port_elsewhere_is_taken_for_ours_by_pods_and_the_node_itself(
    world: World, stop: threading.Event, version: str, mistaken: bool
) -> None:
    informers, view = FakeInformers(), View()
    paths = ServiceDataPath(informers, stop, behaviour=behaviour_of(version))  # type: ignore[arg-type]
    informers.of(SERVICE).put(global_service())
    informers.of(ENDPOINT_SLICE).put(endpoint_slice((WEB_A, "a")))
    paths.add(node_path("a"), world.a, view)
    assert paths.wait_ready("a", 5.0)
    for asker in (world.client, world.a):
        try:
            found = ask(asker, NODE_B, port=30080, timeout=1.0).pod
        except OSError:  # node b serves no table here, so nothing listens there
            found = ""
        assert (found == "web-a") == mistaken
    informers.of(SERVICE).clear()
    wait_for(lambda: paths.is_current("a"), "the table is empty again")
