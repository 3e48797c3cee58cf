"""Fixtures: a real wire (needs the hosts' userland, BGPLAB_USERLAND), a cluster in memory, agents on both nodes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from bgp_wire import Wire
from memory_cluster import MemoryCluster

from bgplab.backends.embedded.agents.bgp.agent import BgpAgent
from bgplab.backends.embedded.agents.bgp.workers import BgpWorkers
from bgplab.backends.embedded.controllers.runtime import Informers
from bgplab.backends.embedded.hosts.userland import is_ready, userland_directory


@pytest.fixture(scope="session")
def userland() -> Path:
    """The hosts' userland, for its gobgpd and FRR."""
    directory = userland_directory()
    if not is_ready(directory) or not (directory / "usr/bin/gobgpd").exists():
        pytest.skip(f"no gobgpd and FRR in {directory}: set BGPLAB_USERLAND, or run `bgp-lab setup`")
    return directory


@pytest.fixture
def wire(userland: Path) -> Iterator[Wire]:
    made = Wire(userland)
    yield made
    made.close()


@pytest.fixture
def cluster() -> MemoryCluster:
    return MemoryCluster()


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def informers(cluster: MemoryCluster, stop: threading.Event) -> Informers:
    return Informers(cluster, stop)


@pytest.fixture
def agents(
    wire: Wire, cluster: MemoryCluster, informers: Informers, stop: threading.Event
) -> Iterator[dict[str, BgpAgent]]:
    workers = BgpWorkers(informers, stop)
    made = {name: BgpAgent(name, host, cluster, informers, stop, workers) for name, host in wire.nodes.items()}
    yield made
    stop.set()
    for agent in made.values():
        agent.close()
