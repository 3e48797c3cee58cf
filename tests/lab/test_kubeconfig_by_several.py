"""One kubeconfig read by several threads at once, as when pods of one cluster are asked side by side."""

from __future__ import annotations

import base64
import builtins
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from kubernetes.config import kube_config

from bgplab.lab.kubernetes_access import access_by
from bgplab.spec.mesh_certificates import make_authority

AUTHORITY = make_authority(datetime.now(UTC)).certificate
LONG_ENOUGH_SECONDS = 0.5  # for another thread to read what is half written, if it may


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    authority = base64.b64encode(AUTHORITY.encode()).decode()
    cluster = {"server": "https://127.0.0.1:1", "certificate-authority-data": authority}
    said = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lab",
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
        "clusters": [{"name": "lab", "cluster": cluster}],
        "users": [{"name": "lab", "user": {"token": "secret"}}],
    }
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(said))
    return path


def test_the_authority_is_whole_for_each(kubeconfig: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library tells the second thread of the authority's file before the first one has written it."""
    writing, read = threading.Event(), threading.Event()

    def slow_open(name: Any, mode: str = "r", *rest: Any, **more: Any) -> Any:
        opened = builtins.open(name, mode, *rest, **more)  # noqa: SIM115 - the library closes it
        if "w" in mode:
            writing.set()
            read.wait(LONG_ENOUGH_SECONDS)
        return opened

    monkeypatch.setattr(kube_config, "open", slow_open, raising=False)
    monkeypatch.setattr(kube_config, "_temp_files", {})
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    access = access_by(kubeconfig, None)

    def authority() -> str:
        said = Path(access.configuration().ssl_ca_cert).read_text()
        read.set()
        return said

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(authority)
        assert writing.wait(10)
        second = pool.submit(authority)
    assert (first.result(), second.result()) == (AUTHORITY, AUTHORITY)
