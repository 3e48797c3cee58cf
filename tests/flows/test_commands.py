"""`check`, `serve` and `deploy` refuse wrong input before anything is started, and say what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bgplab.backends.embedded import launch
from bgplab.backends.embedded.hosts.userland import is_ready, userland_directory
from bgplab.lab import directory as labs
from bgplab.spec.loading import load_lab


def bgp_lab(*argv: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bgplab.cli.main", *argv],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_check_refuses_an_unknown_check() -> None:
    done = bgp_lab("check", "G12", "G99")
    assert done.returncode == 2
    assert "there is no check G99" in done.stderr


def test_check_refuses_a_lab_that_does_not_stand() -> None:
    done = bgp_lab("check", "--name", "nowhere")
    assert done.returncode == 2
    assert "no lab 'nowhere' stands" in done.stderr


def test_check_of_an_inventory_needs_its_files() -> None:
    done = bgp_lab("check", "--backend", "inventory")
    assert done.returncode == 2
    assert "--ssh-config and --kubeconfig" in done.stderr


def test_deploy_without_a_server_says_what_to_set(tmp_path: Path) -> None:
    done = bgp_lab("deploy", PREFECT_HOME=str(tmp_path / "none"))
    assert done.returncode == 2
    assert "export PREFECT_API_URL=" in done.stderr
    assert not (tmp_path / "none").exists()


def test_deploy_to_a_server_that_does_not_answer_names_it() -> None:
    done = bgp_lab("deploy", PREFECT_API_URL="http://127.0.0.1:9/api")
    assert done.returncode == 2
    assert "http://127.0.0.1:9/api/health" in done.stderr


def test_serve_refuses_a_port_that_is_taken() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as other:
        done = bgp_lab("serve", "--site-port", str(other.getsockname()[1]))
    assert done.returncode == 2
    assert "choose another with --site-port" in done.stderr


@pytest.mark.lab
@pytest.mark.xdist_group("lab")
@pytest.mark.skipif(not is_ready(userland_directory()), reason="run `make setup`: no userland in the cache")
def test_check_judges_a_standing_lab_and_leaves_it_standing() -> None:
    name = f"px-check-{os.getpid()}"
    with launch.up(load_lab("guide"), name, holder="test").lease:
        done = bgp_lab("check", "G01", "G02", "G22", "--name", name, "--json")
        told = json.loads(done.stdout)
        assert labs.read_record(name) is not None
    launch.down(name)
    verdicts = {check["id"]: check["verdict"] for check in told["checks"]}
    assert (done.returncode, told["verdict"], told["results"]) == (0, "holds", None)
    assert verdicts == {"G01": "holds", "G02": "holds", "G22": "skipped"}
