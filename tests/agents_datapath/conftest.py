"""The world of namespaces is made once; each test puts its own Services into it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest
from datapath_world import FakeInformers, Tools, World, endpoint_slice, node_path, service, wait_for

from bgplab.backends.embedded.agents.datapath import ServiceDataPath
from bgplab.lab.cluster import ENDPOINT_SLICE, SERVICE, Manifest


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if os.geteuid() != 0:
        pytest.skip("real packets need root here: the test itself enters network namespaces")
    tools = Tools(tmp_path_factory.mktemp("tools"))
    if tools.missing():
        pytest.skip(f"neither the hosts' userland nor this machine has: {', '.join(tools.missing())}")
    made = World(tools, tmp_path_factory.mktemp("shared"))
    yield made
    made.close()


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


class Cluster:
    """Services and endpoints as a test writes them, applied to both nodes."""

    def __init__(self, world: World, stop: threading.Event) -> None:
        self.informers = FakeInformers()
        self.nodes = (world.a, world.b)
        self.paths = ServiceDataPath(self.informers, stop)  # type: ignore[arg-type]
        for host in self.nodes:
            self.paths.add(node_path(host.name), host)
        for host in self.nodes:
            assert self.paths.wait_ready(host.name, 5.0)

    def put(self, *manifests: Manifest) -> None:
        """Show objects to the agents, and wait until both nodes have what follows from all of them."""
        for manifest in manifests:
            kind = SERVICE if manifest["kind"] == "Service" else ENDPOINT_SLICE
            self.informers.of(kind).put(manifest)
        self.settle()

    def serve(self, *endpoints: tuple[str, str], **spec: object) -> None:
        self.put(service(**spec), endpoint_slice(*endpoints))

    def settle(self) -> None:
        wait_for(lambda: all(self.paths.is_current(host.name) for host in self.nodes), "tables follow the objects")


@pytest.fixture
def cluster(world: World, stop: threading.Event) -> Iterator[Cluster]:
    made = Cluster(world, stop)
    yield made
    made.informers.of(SERVICE).clear()
    made.informers.of(ENDPOINT_SLICE).clear()
    made.settle()
