"""Fixtures: our API server on port 0, its seam, and the same with all controllers running."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from controller_cluster import PATIENCE_SECONDS, RunningCluster, running_controllers
from local_runtime import LocalRuntime

from bgplab.backends.embedded.daemon.access_files import kubeconfig
from bgplab.backends.embedded.daemon.credentials import make_credentials
from bgplab.backends.embedded.kube import KubeServer, ServerSettings
from bgplab.lab.cluster import Cluster
from bgplab.lab.kubernetes_cluster import open_cluster


@pytest.fixture(scope="session")
def api_credentials(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    directory = tmp_path_factory.mktemp("credentials")
    return directory, make_credentials(directory)


@pytest.fixture
def api_kubeconfig(api_credentials: tuple[Path, str], tmp_path: Path) -> Iterator[Path]:
    """An empty cluster's API server, as a kubeconfig."""
    directory, token = api_credentials
    server = KubeServer(ServerSettings(service_cidr="10.96.0.0/16", token=token), LocalRuntime())
    listener = socket.create_server(("127.0.0.1", 0))
    loop = asyncio.new_event_loop()
    serving = server.serve([listener], str(directory / "server.crt"), str(directory / "server.key"))
    thread = threading.Thread(target=loop.run_until_complete, args=(serving,), name="api-server")
    thread.start()
    path = tmp_path / "kubeconfig"
    path.write_text(kubeconfig(directory, token, {"lab": f"https://127.0.0.1:{listener.getsockname()[1]}"}))
    yield path
    asyncio.run_coroutine_threadsafe(server.stop(), loop)
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()
    loop.close()
    listener.close()


@pytest.fixture
def bare_cluster(api_kubeconfig: Path) -> Iterator[Cluster]:
    cluster = open_cluster(api_kubeconfig, None, "lab")
    yield cluster
    cluster.close()


@pytest.fixture
def lab_cluster(bare_cluster: Cluster) -> Iterator[RunningCluster]:
    """Three nodes, Cilium's resource types, all controllers."""
    with running_controllers(bare_cluster, cilium_version="1.18") as running:
        yield running
