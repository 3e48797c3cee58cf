"""Pods on a real lab: what they write is kept with its time, and names are found by the tools people look with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from kubernetes import client, config

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
