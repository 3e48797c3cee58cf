"""What a kubelet writes into a pod's status: pure, from what runs to the object (Kubernetes API, PodStatus v1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bgplab.lab.cluster import Manifest


@dataclass(frozen=True, slots=True)
class ContainerView:
    """One container. exit_status: None while it runs; waiting: a reason, when it never ran (ErrImagePull, …) or is to
    run again (CrashLoopBackOff). before: how it ended when it ran the time before. started_up, healthy: what its
    startup and readiness probes say.
    """

    name: str
    image: str
    number: str
    started: datetime | None = None
    exit_status: int | None = None
    finished: datetime | None = None
    restarts: int = 0
    waiting: str | None = None
    message: str = ""
    before: ContainerView | None = None
    started_up: bool = True
    healthy: bool = True


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def pod_status(
    pod: Manifest, host_address: str, pod_address: str | None, containers: Sequence[ContainerView]
) -> dict[str, Any]:
    """The whole status; conditions keep their transition times when nothing about them changed."""
    phase = _phase(pod, containers)
    ready = bool(containers) and all(_is_ready(container) for container in containers)
    old = {condition["type"]: condition for condition in pod.get("status", {}).get("conditions", [])}
    states = {
        "PodReadyToStartContainers": pod_address is not None,
        "Initialized": True,
        "Ready": ready,
        "ContainersReady": ready,
        "PodScheduled": True,
    }
    names = [container.name for container in containers if not _is_ready(container)]
    status: dict[str, Any] = {
        "phase": phase,
        "hostIP": host_address,
        "hostIPs": [{"ip": host_address}],
        "startTime": pod.get("status", {}).get("startTime") or stamp(now()),
        "conditions": [_condition(kind, value, phase, names, old) for kind, value in states.items()],
        "containerStatuses": [_container_status(container) for container in containers],
    }
    if pod_address:
        status |= {"podIP": pod_address, "podIPs": [{"ip": pod_address}]}
    return status


def _runs(container: ContainerView) -> bool:
    return container.started is not None and container.exit_status is None and container.waiting is None


def _is_ready(container: ContainerView) -> bool:
    return _runs(container) and container.started_up and container.healthy


def _phase(pod: Manifest, containers: Sequence[ContainerView]) -> str:
    if any(container.waiting and container.started is None for container in containers):
        return "Pending"
    ended = [container for container in containers if container.exit_status is not None]
    policy = pod["spec"].get("restartPolicy", "Always")
    if containers and len(ended) == len(containers) and policy != "Always":
        failed = any(container.exit_status for container in ended)
        if not failed:
            return "Succeeded"
        if policy == "Never":
            return "Failed"
    return "Running"


def _condition(
    kind: str, value: bool, phase: str, unready: Sequence[str], old: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    state = "True" if value else "False"
    before = old.get(kind, {})
    same = before.get("status") == state
    condition: dict[str, Any] = {
        "type": kind,
        "status": state,
        "lastProbeTime": None,
        "lastTransitionTime": before["lastTransitionTime"] if same else stamp(now()),
    }
    if not value and kind in ("Ready", "ContainersReady"):
        if phase == "Succeeded":
            condition["reason"] = "PodCompleted"
        else:
            condition |= {
                "reason": "ContainersNotReady",
                "message": f"containers with unready status: [{' '.join(unready)}]",
            }
    return condition


def _container_status(container: ContainerView) -> dict[str, Any]:
    return {
        "name": container.name,
        "image": container.image,
        "imageID": container.image if container.started else "",
        "containerID": f"bgp-lab://{container.number}" if container.started else "",
        "ready": _is_ready(container),
        "started": _runs(container) and container.started_up,
        "restartCount": container.restarts,
        "state": _state(container),
        "lastState": _last_state(container),
    }


def _state(container: ContainerView) -> dict[str, Any]:
    if container.waiting or container.started is None:
        waiting = {"reason": container.waiting or "ContainerCreating"}
        return {"waiting": waiting | ({"message": container.message} if container.message else {})}
    if container.exit_status is None:
        return {"running": {"startedAt": stamp(container.started)}}
    return _ended(container)


def _last_state(container: ContainerView) -> dict[str, Any]:
    if container.waiting and container.exit_status is not None:
        return _ended(container)
    return _ended(container.before) if container.before else {}


def _ended(container: ContainerView) -> dict[str, Any]:
    return {
        "terminated": {
            "exitCode": container.exit_status,
            "reason": "Completed" if container.exit_status == 0 else "Error",
            "startedAt": stamp(container.started or now()),
            "finishedAt": stamp(container.finished or now()),
            "containerID": f"bgp-lab://{container.number}",
        }
    }
