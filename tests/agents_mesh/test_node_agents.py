"""A node's part in the mesh as its agent's pod comes and goes, with a real etcd on the other side."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority
from mesh_objects import FakeInformers
from real_etcd import RealEtcd
from test_remote_cluster import QUICK, East, wait_for

from bgplab.backends.embedded.agents.agent_settings import AgentSettings
from bgplab.backends.embedded.agents.mesh.node_agents import MeshAgents
from bgplab.lab.cluster import Manifest
from bgplab.lab.shell import Completed
from bgplab.spec import cilium_install
from bgplab.spec.cilium_install import Remote
from bgplab.spec.loading import load_lab
from bgplab.spec.model import Node

NODE = Node(name="west-worker", address=IPv4Address("172.18.0.2"), pod_cidr=IPv4Network("10.0.1.0/24"))
SETTINGS = AgentSettings("1.17.6", "west", 1)


class OwnHost:
    """This machine's own network, with `ip` played: every address is on the link eth1."""

    name, shared = "west-worker", Path("/nonexistent")

    def __init__(self) -> None:
        self.netns = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.batches: list[str] = []

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", **_: Any) -> Completed:
        self.batches += stdin.decode().splitlines()
        return Completed(tuple(argv), 0, json.dumps([{"dev": "eth1"}]), "", 0.0)

    def spawn(self, argv: Sequence[str], **_: Any) -> Any:
        raise NotImplementedError("the mesh starts nothing on nodes")

    def close(self) -> None:
        os.close(self.netns)


class West:
    """The cluster that connects to east, whose etcd listens on this machine's loopback."""

    def __init__(self, etcd: RealEtcd, stop: threading.Event) -> None:
        self.remote = Remote("east", IPv4Address("127.0.0.1"), etcd.port)
        self.cluster = load_lab("mesh").clusters[0]
        self.objects, self.host, self.changes = FakeInformers(), OwnHost(), threading.Semaphore(0)
        self.give_certificate(etcd.authority)
        self.agents = MeshAgents(self.objects, stop, self.changes.release, QUICK)  # type: ignore[arg-type]
        self.view = self.agents.of(NODE.name)

    def give_certificate(self, authority: Authority) -> None:
        identity = authority.sign("remote")
        data = {"ca.crt": identity.ca, "tls.crt": identity.certificate, "tls.key": identity.key}
        encoded = {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}
        metadata = {"namespace": "kube-system", "name": "clustermesh-apiserver-remote-cert"}
        self.objects.put({"kind": "Secret", "metadata": metadata, "data": encoded})

    def connect(self, *remotes: Remote) -> None:
        self.objects.put(cilium_install.clustermesh_secret(remotes))

    def start(self, *remotes: Remote) -> None:
        self.agents.start(NODE, self.host, SETTINGS, self.pod(*remotes))

    def pod(self, *remotes: Remote) -> Manifest:
        template = cilium_install.agents(self.cluster, remotes)["spec"]["template"]
        return {**template, "metadata": {"namespace": "kube-system", "name": "cilium-x"}}

    def is_ready(self) -> bool:
        return bool(self.view.statuses()) and all(status.ready for status in self.view.statuses())

    def close(self) -> None:
        self.agents.remove(NODE.name)
        self.host.close()


@pytest.fixture
def east(etcd: RealEtcd) -> Iterator[East]:
    made = East(etcd)
    made.export()
    yield made
    made.stop()


@pytest.fixture
def west(east: East, stop: threading.Event) -> Iterator[West]:
    if os.geteuid() != 0:
        pytest.skip("entering a network namespace needs root here")
    made = West(east.etcd, stop)
    yield made
    made.close()


def test_a_connected_agent_knows_the_other_cluster_and_routes_to_its_pods(west: West) -> None:
    west.connect(west.remote)
    west.start(west.remote)
    wait_for(west.is_ready, "ready")
    assert [service.name for service in west.view.services()] == ["webpod"]
    wait_for(lambda: west.host.batches, "a route")
    assert west.host.batches == ["route replace 10.1.1.0/24 via 172.18.0.4 dev eth1"]
    assert west.changes.acquire(timeout=5)


def test_before_its_pod_has_the_alias_an_agent_cannot_find_the_other_cluster(west: West) -> None:
    west.connect(west.remote)
    west.start()
    wait_for(lambda: [one.text for one in west.view.statuses() if "no such host" in one.text], "not found")
    west.agents.halt(NODE.name)
    west.start(west.remote)
    wait_for(west.is_ready, "ready")


def test_a_halted_agent_leaves_what_it_knew_and_a_removed_one_nothing(west: West) -> None:
    west.connect(west.remote)
    west.start(west.remote)
    wait_for(lambda: west.is_ready() and west.host.batches, "ready")
    west.agents.halt(NODE.name)
    assert [service.name for service in west.view.services()] == ["webpod"]
    west.agents.remove(NODE.name)
    assert (west.view.services(), west.view.statuses()) == ((), ())
    assert west.host.batches[-1] == "route del 10.1.1.0/24 via 172.18.0.4"


def test_a_disconnected_cluster_is_forgotten(west: West) -> None:
    west.connect(west.remote)
    west.start(west.remote)
    wait_for(lambda: west.is_ready() and west.host.batches, "ready")
    west.connect()
    wait_for(lambda: not west.view.statuses(), "disconnected")
    assert west.view.services() == []
    wait_for(lambda: west.host.batches[-1].startswith("route del"), "the route goes")


def test_a_certificate_that_is_replaced_counts_at_once_and_a_wrong_one_is_told(west: West, east: East) -> None:
    west.connect(west.remote)
    west.start(west.remote)
    wait_for(west.is_ready, "ready")
    west.give_certificate(Authority.make())
    wait_for(lambda: "unknown authority" in west.view.statuses()[0].text, "refused")
    assert [service.name for service in west.view.services()] == ["webpod"]
    west.give_certificate(east.etcd.authority)
    wait_for(west.is_ready, "ready again")
