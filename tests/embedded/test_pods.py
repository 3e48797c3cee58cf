"""Pods on a real lab: what they write is kept with its time, and names are found by the tools people look with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from kubernetes import client, config

from bgplab.errors import LabError
from bgplab.lab import directory as labs
from bgplab.lab.cluster import POD
from bgplab.lab.model import Lab
from bgplab.lab.waiting import Deadline, wait_until

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("hosts")]

SAYING = "echo early; until [ -e /tmp/go ]; do sleep 0.05; done; echo late; printf unended; sleep 600"


@pytest.fixture(scope="module")
def talker(lab: Lab) -> str:
    """A pod that says one line, and two more (the last without its end) once /tmp/go is there."""
    container = {"name": "main", "image": "nicolaka/netshoot", "command": ["sh", "-c", SAYING]}
    lab.cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "talker", "namespace": "default"},
            "spec": {"containers": [container], "nodeName": "k8s-w1"},
        }
    )
    phase: Callable[[], Any] = lambda: (lab.cluster.get(POD, "talker") or {}).get("status", {}).get("phase")  # noqa: E731
    wait_until(phase, lambda seen: seen == "Running", Deadline.after(30), "the pod runs")
    return "talker"


def test_a_pods_lines_have_the_time_at_which_it_wrote_them(lab: Lab, talker: str) -> None:
    core = client.CoreV1Api(
        config.new_client_from_config(str(labs.access_to(labs.require_record(lab.name)).kubeconfig))
    )
    read: Callable[..., str] = lambda **asked: str(core.read_namespaced_pod_log(talker, "default", **asked))  # noqa: E731
    wait_until(read, lambda text: text == "early\n", Deadline.after(20), "the first line")
    first = _times(read(timestamps=True))
    lab.cluster.exec(talker, ["touch", "/tmp/go"])
    wait_until(read, lambda text: text == "early\nlate\n", Deadline.after(20), "the second line")
    both = _times(read(timestamps=True))
    assert both[:1] == first and first[0] <= both[1] <= datetime.now(UTC)
    assert read(since_seconds=3600) == "early\nlate\n"
    assert _times(read(timestamps=True, tail_lines=1)) == both[1:]


def _times(text: str) -> list[datetime]:
    """`2026-01-01T00:00:00.123456789Z said` → its time to the microsecond, line by line."""
    return [datetime.fromisoformat(line.split(" ", 1)[0][:26] + "+00:00") for line in text.splitlines()]


@pytest.mark.parametrize(
    "words", [["dig", "+short", "kubernetes.default.svc.cluster.local"], ["nslookup", "kubernetes"]]
)
def test_a_pod_finds_a_service_by_dig_and_nslookup(lab: Lab, talker: str, words: list[str]) -> None:
    assert "10.96.0.1" in lab.cluster.exec(talker, words).stdout


def test_hosts_and_pods_say_which_system_they_are(lab: Lab, talker: str) -> None:
    said = [
        lab.hosts["router"].run(["cat", "/etc/os-release"]).stdout,
        lab.cluster.exec(talker, ["cat", "/etc/os-release"]).stdout,
    ]
    assert all("VERSION_CODENAME=bookworm" in text for text in said)


def test_hosts_have_the_tools_to_look_names_up(lab: Lab) -> None:
    assert lab.hosts["k8s-w0"].run(["dig", "-v"]).exit_status == 0
    assert lab.hosts["k8s-w0"].run(["nslookup", "-version"]).stderr.startswith("nslookup 9.18")


def a_pod(lab: Lab, name: str, **container: Any) -> str:
    own = {"name": "main", "image": "nicolaka/netshoot", **container}
    spec = {"containers": [own], "nodeName": "k8s-ctr", "terminationGracePeriodSeconds": 0}
    metadata = {"name": name, "namespace": "default"}
    lab.cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    return name


def container_when(lab: Lab, name: str, holds: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """The status of a pod's one container, once it is so."""

    def seen() -> dict[str, Any]:
        statuses = (lab.cluster.get(POD, name) or {}).get("status", {}).get("containerStatuses") or [{}]
        return dict(statuses[0])

    return wait_until(seen, holds, Deadline.after(30), f"the container of {name}")


def core_of(lab: Lab) -> Any:
    return client.CoreV1Api(
        config.new_client_from_config(str(labs.access_to(labs.require_record(lab.name)).kubeconfig))
    )


def test_a_container_that_ends_again_and_again_backs_off_and_keeps_two_logs(lab: Lab) -> None:
    count = "n=$(cat /tmp/n 2>/dev/null || echo 0); echo run $n; echo $((n+1)) >/tmp/n; exit 3"
    name = a_pod(lab, "crashing", command=["sh", "-c", count])
    waits = lambda seen: seen.get("state", {}).get("waiting", {}).get("reason") == "CrashLoopBackOff"  # noqa: E731
    seen = container_when(lab, name, waits)
    assert seen["restartCount"] == 1 and seen["lastState"]["terminated"]["exitCode"] == 3
    assert seen["state"]["waiting"]["message"].startswith("back-off 10s restarting failed container main in pod")
    assert core_of(lab).read_namespaced_pod_log(name, "default") == "run 1\n"
    assert core_of(lab).read_namespaced_pod_log(name, "default", previous=True) == "run 1\n"
    with pytest.raises(LabError, match="container not found"):
        lab.cluster.exec(name, ["true"])


def test_a_container_runs_anew_when_its_image_is_another(lab: Lab) -> None:
    name = a_pod(lab, "changing", image="nicolaka/netshoot", command=["sleep", "600"])
    first = container_when(lab, name, lambda seen: seen.get("ready"))
    image = {"spec": {"containers": [{"name": "main", "image": "nicolaka/netshoot:v2"}]}}
    lab.cluster.patch(POD, name, image, "default", type="strategic")
    second = container_when(lab, name, lambda seen: seen.get("ready") and seen["restartCount"] == 1)
    assert second["image"] == "nicolaka/netshoot:v2" and second["containerID"] != first["containerID"]


def test_a_pod_that_asks_for_what_the_lab_does_not_do_waits_and_says_so(lab: Lab) -> None:
    name = a_pod(lab, "asking", command=["sleep", "600"], lifecycle={"preStop": {"sleep": {"seconds": 1}}})
    seen = container_when(lab, name, lambda seen: "waiting" in seen.get("state", {}))
    said = "the embedded lab does not do: lifecycle hooks"
    assert seen["state"]["waiting"] == {"reason": "CreateContainerConfigError", "message": said}


def test_exec_finds_the_containers_variables_and_directory(lab: Lab) -> None:
    data = {"metadata": {"name": "settings", "namespace": "default"}, "data": {"colour": "red"}}
    env = [{"name": "COLOUR", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "colour"}}}]
    name = a_pod(lab, "variable", command=["sleep", "600"], env=env, workingDir="/srv/work")
    waits = container_when(lab, name, lambda seen: "waiting" in seen.get("state", {}))
    assert waits["state"]["waiting"]["message"] == 'configmap "settings" not found'
    lab.cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", **data})
    container_when(lab, name, lambda seen: seen.get("ready"))
    assert lab.cluster.exec(name, ["sh", "-c", "echo $COLOUR; pwd"]).stdout == "red\n/srv/work\n"


QUICKLY = {"periodSeconds": 1, "failureThreshold": 1}


def test_a_container_is_ready_while_its_readiness_probe_succeeds(lab: Lab) -> None:
    probe = {"exec": {"command": ["test", "-e", "/tmp/well"]}, **QUICKLY}
    name = a_pod(lab, "probed", command=["sleep", "600"], readinessProbe=probe)
    seen = container_when(lab, name, lambda seen: "running" in seen.get("state", {}))
    assert (seen["ready"], seen["started"]) == (False, True)
    lab.cluster.exec(name, ["touch", "/tmp/well"])
    container_when(lab, name, lambda seen: seen["ready"])
    lab.cluster.exec(name, ["rm", "/tmp/well"])
    assert container_when(lab, name, lambda seen: not seen["ready"])["restartCount"] == 0


def test_a_container_whose_liveness_probe_fails_starts_anew(lab: Lab) -> None:
    probe = {"exec": {"command": ["sh", "-c", "test ! -e /tmp/ill || { rm /tmp/ill; exit 1; }"]}, **QUICKLY}
    name = a_pod(lab, "living", command=["sleep", "600"], livenessProbe=probe)
    container_when(lab, name, lambda seen: seen.get("ready"))
    lab.cluster.exec(name, ["touch", "/tmp/ill"])
    seen = container_when(lab, name, lambda seen: seen["restartCount"] == 1 and seen["ready"])
    assert seen["lastState"]["terminated"]["exitCode"] in (137, 143)


def test_a_web_server_is_probed_from_its_node(lab: Lab) -> None:
    ports = [{"name": "http", "containerPort": 80}]
    probe = {"httpGet": {"path": "/health", "port": "http"}, **QUICKLY}
    name = a_pod(lab, "web", image="traefik/whoami", ports=ports, readinessProbe=probe)
    assert container_when(lab, name, lambda seen: seen.get("ready"))["restartCount"] == 0


def test_what_does_not_listen_is_not_started(lab: Lab) -> None:
    probe = {"tcpSocket": {"port": 8080}, "periodSeconds": 1, "failureThreshold": 60}
    name = a_pod(lab, "starting", command=["sleep", "600"], startupProbe=probe)
    seen = container_when(lab, name, lambda seen: "running" in seen.get("state", {}))
    assert (seen["ready"], seen["started"]) == (False, False)
    server = "import http.server as h; h.HTTPServer(('', 8080), h.BaseHTTPRequestHandler).serve_forever()"
    lab.cluster.exec(name, ["sh", "-c", f'nohup python3 -c "{server}" >/dev/null 2>&1 &'])
    assert container_when(lab, name, lambda seen: seen["started"])["ready"]
