"""Commands in pods over the Cluster seam."""

from __future__ import annotations

import re
import socket
import time
from pathlib import Path

import pytest

from bgplab.errors import CommandFailed, LabError
from bgplab.lab import kubernetes_exec
from bgplab.lab.cluster import POD, ApiError, Cluster
from bgplab.lab.kubernetes_cluster import open_cluster


@pytest.fixture
def pod_cluster(bare_cluster: Cluster) -> Cluster:
    """A cluster with the running pod `web`."""
    bare_cluster.create(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "web", "namespace": "default"},
            "spec": {"nodeName": "k8s-w1", "containers": [{"name": "web", "image": "traefik/whoami"}]},
        }
    )
    running = {"name": "web", "ready": True, "restartCount": 0, "image": "traefik/whoami", "imageID": ""}
    running["state"] = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
    bare_cluster.patch(
        POD, "web", {"status": {"phase": "Running", "containerStatuses": [running]}}, "default", subresource="status"
    )
    return bare_cluster


def test_output_and_errors_are_kept_apart(pod_cluster: Cluster):
    done = pod_cluster.exec("web", ["sh", "-c", "echo out; echo err >&2"])
    assert (done.exit_status, done.stdout, done.stderr) == (0, "out\n", "err\n")


def test_a_failing_command_raises_with_what_it_said(pod_cluster: Cluster):
    with pytest.raises(CommandFailed) as failed:
        pod_cluster.exec("web", ["sh", "-c", "echo no such route >&2; exit 28"])
    assert failed.value.command_status == 28
    assert "no such route" in str(failed.value)


def test_unchecked_the_exit_status_is_returned(pod_cluster: Cluster):
    assert pod_cluster.exec("web", ["sh", "-c", "exit 7"], check=False).exit_status == 7


def test_input_is_read_to_its_end(pod_cluster: Cluster):
    assert pod_cluster.exec("web", ["wc", "-c"], stdin="hello").stdout.strip() == "5"


def test_large_output_arrives_whole(pod_cluster: Cluster):
    done = pod_cluster.exec("web", ["sh", "-c", "yes | head -c 3000000"])
    assert len(done.stdout) == 3_000_000


def test_words_with_blanks_and_signs_are_kept(pod_cluster: Cluster):
    assert pod_cluster.exec("web", ["printf", "%s|", "a b", "c&d=e", "ü"]).stdout == "a b|c&d=e|ü|"


def test_a_time_limit_ends_the_wait(pod_cluster: Cluster):
    started = time.monotonic()
    with pytest.raises(LabError, match=r"did not end within 0\.2 s"):
        pod_cluster.exec("web", ["sleep", "60"], timeout=0.2)
    assert time.monotonic() - started < 2


def test_a_command_may_be_as_long_as_it_gets_with_hundreds_of_pods(pod_cluster: Cluster):
    said = "x" * 100_000
    assert pod_cluster.exec("web", ["echo", said]).stdout == f"{said}\n"


def test_a_server_that_never_answers_is_not_waited_for(
    api_kubeconfig: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(kubernetes_exec, "HANDSHAKE_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"https://127.0.0.1:{silent.getsockname()[1]}"
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(re.sub(r"https://[\w.:]+", address, api_kubeconfig.read_text()))
        cluster = open_cluster(kubeconfig, None, "lab")
        with pytest.raises(LabError, match=f"{address}.* does not answer"):
            cluster.exec("web", ["true"])
        cluster.close()


def test_a_missing_pod_is_a_refusal(pod_cluster: Cluster):
    with pytest.raises(ApiError) as refusal:
        pod_cluster.exec("nobody", ["true"])
    assert refusal.value.code == 404


def test_logs_are_text(pod_cluster: Cluster):
    assert pod_cluster.logs("web") == "said by web\n"


def test_a_container_that_does_not_run_yet_is_a_command_that_failed(pod_cluster: Cluster):
    # whoever waits for the pod takes that for "not yet" (lab/waiting.py)
    waiting = {"name": "web", "ready": False, "restartCount": 0, "image": "traefik/whoami", "imageID": ""}
    waiting["state"] = {"waiting": {"reason": "ContainerCreating"}}
    status = {"containerStatuses": [waiting]}
    pod_cluster.patch(POD, "web", {"status": status}, "default", type="merge", subresource="status")
    with pytest.raises(CommandFailed, match="container not found"):
        pod_cluster.exec("web", ["true"], check=False)
