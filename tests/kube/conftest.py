"""A real server per test: TLS on a port of its own, in a thread, gone afterwards."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fetch_kubectl import fetch
from kube_api import Api
from kube_certificates import Pair, authority_and
from kube_manifests import CRDS, definition
from kube_runtime import FakeRuntime
from kube_world import TOKEN, Kubectl, Output, Running

from bgplab.backends.embedded.kube import KubeServer, ServerSettings


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pair]:
    return authority_and(tmp_path_factory.mktemp("certificates"), "server", "client")


@pytest.fixture
def running(pairs: dict[str, Pair]) -> Iterator[Running]:
    listener = socket.create_server(("127.0.0.1", 0))
    runtime = FakeRuntime()
    settings = ServerSettings("10.96.0.0/16", TOKEN, client_ca_file=str(pairs["ca"].cert))
    server = KubeServer(settings, runtime)
    loop = asyncio.new_event_loop()
    serving = server.serve([listener], str(pairs["server"].cert), str(pairs["server"].key))
    thread = threading.Thread(target=loop.run_until_complete, args=(serving,))
    thread.start()
    try:
        yield Running(server, listener.getsockname()[1], runtime, loop, pairs)
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop)
        thread.join(10)
        assert not thread.is_alive(), "the server did not stop"
        assert not asyncio.all_tasks(loop), "the server left tasks behind"
        loop.close()
        listener.close()


@pytest.fixture
def api(running: Running) -> Api:
    return running.api()


@pytest.fixture
def widgets(api: Api) -> Api:
    """The same, with the Widget definition in place."""
    assert api.post(CRDS, definition()).code == 201
    return api


@pytest.fixture(scope="session")
def kubectl_binary() -> Path:
    try:
        return fetch()
    except (OSError, subprocess.SubprocessError) as fault:
        pytest.skip(f"no kubectl for these tests: {fault}")


@pytest.fixture
def kubeconfig(running: Running, tmp_path: Path) -> Path:
    path = tmp_path / "kubeconfig"
    cluster = {"server": f"https://127.0.0.1:{running.port}", "certificate-authority": str(running.pairs["ca"].cert)}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "test", "user": {"token": TOKEN}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "current-context": "test",
    }
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.fixture
def kubectl(kubectl_binary: Path, kubeconfig: Path, tmp_path: Path) -> Kubectl:
    """Runs kubectl with words and standard input; manifests given as data are sent as YAML documents."""

    def run(*words: str, given: str | list[Any] | dict[str, Any] = "", fails: bool = False) -> Output:
        if not isinstance(given, str):
            given = yaml.safe_dump_all(given if isinstance(given, list) else [given])
        command = [str(kubectl_binary), f"--kubeconfig={kubeconfig}", f"--cache-dir={tmp_path}/cache", *words]
        done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=30)
        assert (done.returncode != 0) == fails, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return Output(done.returncode, done.stdout, done.stderr)

    return run
