"""What the lab does not do for a pod is named, and nothing else is."""

from __future__ import annotations

from typing import Any

import pytest

from bgplab.backends.embedded.agents.kubelet.kubelet import back_off_seconds
from bgplab.backends.embedded.agents.kubelet.refusals import refused


def a_pod(container: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c", "image": "i", **(container or {})}], **spec},
    }


def with_volume(**volume: Any) -> dict[str, Any]:
    return a_pod({"volumeMounts": [{"name": "v", "mountPath": "/v"}]}, volumes=[{"name": "v", **volume}])


@pytest.mark.parametrize(
    ("pod", "words"),
    [
        (a_pod(initContainers=[{"name": "i", "image": "i"}]), "init containers"),
        (a_pod(activeDeadlineSeconds=5), "activeDeadlineSeconds"),
        (a_pod(dnsPolicy="None", dnsConfig={"nameservers": ["9.9.9.9"]}), "dnsConfig, dnsPolicy None"),
        (a_pod(hostPID=True), "hostPID"),
        (a_pod({"livenessProbe": {"grpc": {"port": 80}}}), "gRPC probes"),
        (a_pod({"lifecycle": {"preStop": {"sleep": {"seconds": 1}}}}), "lifecycle hooks"),
        (with_volume(hostPath={"path": "/etc"}), "volumes of type hostPath"),
        (with_volume(persistentVolumeClaim={"claimName": "c"}), "volumes of type persistentVolumeClaim"),
        (with_volume(projected={"sources": [{"downwardAPI": {}}]}), "projected volumes from downwardAPI"),
        (a_pod({"env": [{"name": "E", "valueFrom": {"resourceFieldRef": {}}}]}), "variables of resources"),
    ],
)
def test_what_is_not_done_is_named(pod: dict[str, Any], words: str) -> None:
    assert ", ".join(refused(pod)) == words


@pytest.mark.parametrize(
    "pod",
    [
        a_pod(),
        a_pod({"resources": {"limits": {"cpu": "1"}}, "securityContext": {"runAsUser": 1000}}),
        a_pod({"readinessProbe": {"tcpSocket": {"port": 80}}, "livenessProbe": {"exec": {"command": ["true"]}}}),
        a_pod(nodeSelector={"a": "b"}, tolerations=[{"operator": "Exists"}], hostNetwork=True),
        with_volume(emptyDir={}),
        with_volume(secret={"secretName": "s"}),
        with_volume(projected={"sources": [{"secret": {"name": "s"}}, {"configMap": {"name": "c"}}]}),
        a_pod(volumes=[{"name": "unused", "hostPath": {"path": "/"}}]),
        a_pod({"env": [{"name": "E", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}}]}),
    ],
)
def test_the_rest_is_let_through(pod: dict[str, Any]) -> None:
    assert refused(pod) == []


def test_an_ended_container_waits_longer_each_time_and_five_minutes_at_most() -> None:
    assert [back_off_seconds(restarts) for restarts in range(8)] == [0, 10, 20, 40, 80, 160, 300, 300]
