"""exec and logs: through kubectl, the Python client, and bare requests."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from kube_api import Api, eventually
from kube_manifests import PODS, pod
from kube_runtime import LINES
from kube_world import Kubectl, Running
from kubernetes import client, config
from kubernetes.stream import stream


@pytest.fixture
def web(api: Api) -> Api:
    api.post(PODS, pod(nodeName="node-1"))
    return api


def test_exec_returns_what_was_written(kubectl: Kubectl, web: Api) -> None:
    assert kubectl("exec", "web", "--", "echo", "hello", "there").out == "hello there\n"


def test_exec_in_a_terminal_that_is_none_still_runs(kubectl: Kubectl, web: Api) -> None:
    assert kubectl("exec", "-it", "web", "--", "echo", "hello").out == "hello\n"


def test_exec_passes_on_the_exit_status_and_the_complaint(kubectl: Kubectl, web: Api) -> None:
    failed = kubectl("exec", "web", "--", "fail", "28", fails=True)
    assert failed.code == 28
    assert failed.err == "it went wrong\ncommand terminated with exit code 28\n"


def test_exec_passes_on_input_and_its_end(kubectl: Kubectl, web: Api) -> None:
    text = "".join(f"line {number}\n" for number in range(20_000))
    assert kubectl("exec", "-i", "web", "--", "cat", given=text).out == text


def test_exec_of_what_is_not_there_says_so(kubectl: Kubectl, web: Api) -> None:
    assert "no such program: missing" in kubectl("exec", "web", "--", "missing", fails=True).err


def test_exec_in_a_pod_that_is_not_there_is_refused(kubectl: Kubectl) -> None:
    assert 'pods "web" not found' in kubectl("exec", "web", "--", "echo", fails=True).err


@pytest.mark.parametrize("state", [{"waiting": {"reason": "ErrImagePull"}}, {"terminated": {"exitCode": 1}}])
def test_exec_in_a_container_that_does_not_run_is_refused(kubectl: Kubectl, web: Api, state: dict[str, Any]) -> None:
    status = {"name": "main", "image": "nginx", "imageID": "", "ready": False, "restartCount": 0, "state": state}
    assert web.patch(f"{PODS}/web/status", {"status": {"containerStatuses": [status]}}).code == 200
    assert 'container not found ("main")' in kubectl("exec", "web", "--", "echo", fails=True).err


def test_exec_in_a_container_that_is_not_there_is_refused(kubectl: Kubectl, web: Api) -> None:
    assert (
        "container other is not valid for pod web"
        in kubectl("exec", "web", "-c", "other", "--", "echo", fails=True).err
    )


def test_exec_finds_the_pod_of_a_daemon_set(kubectl: Kubectl, api: Api) -> None:
    template = {"metadata": {"labels": {"k8s-app": "cilium"}}, "spec": pod()["spec"]}
    kubectl("apply", "-f", "-", given={
        "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "cilium", "namespace": "kube-system"},
        "spec": {"selector": {"matchLabels": {"k8s-app": "cilium"}}, "template": template},
    })  # fmt: skip
    manifest = pod("cilium-abcde", nodeName="node-1")
    manifest["metadata"]["labels"] = {"k8s-app": "cilium"}
    api.post(PODS.replace("default", "kube-system"), manifest)
    words = ("exec", "-it", "-n", "kube-system", "ds/cilium", "-c", "main", "--", "echo", "peers")
    assert kubectl(*words).out == "peers\n"


def test_a_client_that_goes_takes_its_command_along(
    running: Running, kubectl_binary: Path, kubeconfig: Path, web: Api
) -> None:
    command = [str(kubectl_binary), f"--kubeconfig={kubeconfig}", "exec", "web", "--", "hang"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "hanging\n"
        process.kill()
    eventually(lambda: running.runtime.cancelled, lambda count: count == 1)


@pytest.fixture
def core(kubeconfig: Path) -> client.CoreV1Api:
    return client.CoreV1Api(config.new_client_from_config(str(kubeconfig)))


def test_the_python_client_executes(core: client.CoreV1Api, web: Api) -> None:
    wanted: dict[str, Any] = {"stdout": True, "stderr": True, "stdin": False, "tty": False}
    found = stream(core.connect_get_namespaced_pod_exec, "web", "default", command=["echo", "hi"], **wanted)
    assert found == "hi\n"


def test_the_python_client_learns_the_exit_status(core: client.CoreV1Api, web: Api) -> None:
    wanted: dict[str, Any] = {"stdout": True, "stderr": True, "stdin": False, "tty": False, "_preload_content": False}
    socket = stream(core.connect_get_namespaced_pod_exec, "web", "default", command=["fail", "7"], **wanted)
    socket.run_forever(timeout=5)
    assert (socket.returncode, socket.read_stderr()) == (7, "it went wrong\n")


def test_a_terminals_size_reaches_the_command(core: client.CoreV1Api, web: Api) -> None:
    wanted: dict[str, Any] = {"stdout": True, "stderr": False, "stdin": True, "tty": True, "_preload_content": False}
    socket = stream(core.connect_get_namespaced_pod_exec, "web", "default", command=["size"], **wanted)
    socket.write_channel(4, '{"Width": 120, "Height": 40}')
    socket.run_forever(timeout=5)
    assert socket.read_stdout() == "120x40"


def test_spdy_is_told_to_come_back_with_a_websocket(web: Api) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1", "X-Stream-Protocol-Version": "v4.channel.k8s.io"}
    reply = web.ask("POST", f"{PODS}/web/exec?command=echo&stdout=true", **headers)
    assert (reply.code, reply.body["kind"], reply.body["reason"]) == (400, "Status", "BadRequest")
    assert "WebSocket" in reply.body["message"]


def test_logs_are_all_lines(kubectl: Kubectl, web: Api) -> None:
    assert kubectl("logs", "web").out == "one\ntwo\nthree\n"


def test_logs_end_with_the_last_lines_asked_for(kubectl: Kubectl, web: Api) -> None:
    assert kubectl("logs", "web", "-c", "main", "--tail=1").out == "three\n"


def test_logs_follow(running: Running, kubectl_binary: Path, kubeconfig: Path, web: Api) -> None:
    command = [str(kubectl_binary), f"--kubeconfig={kubeconfig}", "logs", "-f", "web"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(3)] == ["one\n", "two\n", "three\n"]
        more = eventually(lambda: running.runtime.more, lambda event: event is not None)
        assert more is not None
        running.loop.call_soon_threadsafe(more.set)
        assert process.stdout.readline() == "and more\n"


def test_logs_of_a_container_that_waits_say_what_for(kubectl: Kubectl, web: Api) -> None:
    waiting = {"name": "main", "state": {"waiting": {"reason": "ErrImagePull"}}}
    web.patch(f"{PODS}/web/status", {"status": {"containerStatuses": [waiting]}})
    failed = kubectl("logs", "web", fails=True).err
    assert 'container "main" in pod "web" is waiting to start: ErrImagePull' in failed


ENDED = {"terminated": {"exitCode": 1, "reason": "Error"}}
BACKS_OFF = {"waiting": {"reason": "CrashLoopBackOff"}}


def _status(web: Api, **status: Any) -> None:
    common = {"name": "main", "image": "nginx", "imageID": "", "ready": False, "restartCount": 1}
    statuses = {"containerStatuses": [{**common, **status}]}
    assert web.patch(f"{PODS}/web/status", {"status": statuses}).code == 200


def test_logs_of_the_time_before_are_asked_for_apart(kubectl: Kubectl, web: Api) -> None:
    _status(web, state={"running": {}}, lastState=ENDED)
    assert kubectl("logs", "web", "--previous").out == "before\n"
    assert kubectl("logs", "web").out == "one\ntwo\nthree\n"


def test_a_container_that_ran_has_logs_while_it_waits_to_run_again(kubectl: Kubectl, web: Api) -> None:
    _status(web, state=BACKS_OFF, lastState=ENDED)
    assert kubectl("logs", "web").out == "one\ntwo\nthree\n"


def test_logs_come_with_the_time_of_each_line(kubectl: Kubectl, web: Api) -> None:
    assert kubectl("logs", "web", "--timestamps").out == "".join(LINES)


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ("--since=1s", "three\n"),
        ("--since=876000h", "one\ntwo\nthree\n"),
        ("--since-time=2026-01-01T00:00:02Z", "two\nthree\n"),
        ("--since-time=2026-01-01T01:00:02.5+01:00", "two\nthree\n"),
        ("--since-time=2101-01-01T00:00:00Z", ""),
    ],
)
def test_logs_begin_at_a_time_that_is_asked_for(kubectl: Kubectl, web: Api, since: str, expected: str) -> None:
    assert kubectl("logs", "web", since).out == expected


def test_the_last_lines_are_counted_before_the_time_is_looked_at(kubectl: Kubectl, web: Api) -> None:
    assert kubectl("logs", "web", "--tail=2", "--since=1s").out == "three\n"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("previous=true", 'previous terminated container "main" in pod "web" not found'),
        ("sinceSeconds=0", "must be greater than or equal to 1"),
        ("sinceSeconds=-5", "sinceSeconds: Invalid value"),
        ("sinceTime=yesterday", "must be a time of RFC 3339"),
        ("sinceTime=2026-01-01T00:00:00", "must be a time of RFC 3339"),
        ("sinceTime=2026-01-01T00:00:00Z&sinceSeconds=5", "at most one of"),
    ],
)
def test_what_logs_cannot_answer_is_refused(web: Api, asked: str, said: str) -> None:
    reply = web.get(f"{PODS}/web/log?{asked}")
    assert reply.code == 400 and said in reply.body["message"]
