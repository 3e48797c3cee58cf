"""The row of a pod: the one word that says how it is doing, as kubectl finds it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from bgplab.backends.embedded.kube.store.item import Value
from bgplab.backends.embedded.kube.table.ages import since
from bgplab.backends.embedded.kube.table.columns import AGE, NAME, NONE, Shown, at, field


def _statuses(pod: Value, kind: str = "containerStatuses") -> list[Value]:
    return at(pod, "status", kind, default=[])


def ready(pod: Value, now: datetime) -> str:
    count = sum(1 for each in _statuses(pod) if each.get("ready") and at(each, "state", "running") is not None)
    return f"{count}/{len(at(pod, 'spec', 'containers', default=[]))}"


def status(pod: Value, now: datetime) -> str:
    reason = at(pod, "status", "reason") or at(pod, "status", "phase", default="Unknown")
    if any(each.get("reason") == "SchedulingGated" for each in at(pod, "status", "conditions", default=[])):
        reason = "SchedulingGated"
    initializing = _initializing(pod)
    reason = initializing or _of_containers(pod, reason)
    if "deletionTimestamp" in pod["metadata"]:
        return "Unknown" if at(pod, "status", "reason") == "NodeLost" else "Terminating"
    return reason


def _initializing(pod: Value) -> str:
    statuses = _statuses(pod, "initContainerStatuses")
    for index, each in enumerate(statuses):
        ended = at(each, "state", "terminated")
        if ended is not None and ended.get("exitCode") == 0:
            continue
        if ended is not None:
            return "Init:" + _ending(ended)
        waiting = at(each, "state", "waiting", "reason", default="")
        if waiting and waiting != "PodInitializing":
            return "Init:" + waiting
        return f"Init:{index}/{len(at(pod, 'spec', 'initContainers', default=[]))}"
    return ""


def _of_containers(pod: Value, reason: str) -> str:
    running = False
    for each in reversed(_statuses(pod)):
        waiting, ended = at(each, "state", "waiting", "reason"), at(each, "state", "terminated")
        if waiting:
            reason = waiting
        elif ended is not None:
            reason = _ending(ended)
        elif each.get("ready") and at(each, "state", "running") is not None:
            running = True
    if reason == "Completed" and running:
        return "Running" if _is_ready(pod) else "NotReady"
    return reason


def _ending(ended: Value) -> str:
    if ended.get("reason"):
        return ended["reason"]
    return f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode', 0)}"


def _is_ready(pod: Value) -> bool:
    conditions: Iterable[Value] = at(pod, "status", "conditions", default=[])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def restarts(pod: Value, now: datetime) -> str:
    statuses = _statuses(pod)
    count = sum(each.get("restartCount", 0) for each in statuses)
    ends = [at(each, "lastState", "terminated", "finishedAt") for each in statuses]
    last = max((end for end in ends if end), default=None)
    return f"{count} ({since(last, now)} ago)" if count and last else str(count)


def address(pod: Value, now: datetime) -> str:
    addresses: Sequence[Any] = at(pod, "status", "podIPs", default=[])
    return addresses[0]["ip"] if addresses else at(pod, "status", "podIP", default=NONE)


def gates(pod: Value, now: datetime) -> str:
    wanted = [gate["conditionType"] for gate in at(pod, "spec", "readinessGates", default=[])]
    true = {each["type"] for each in at(pod, "status", "conditions", default=[]) if each["status"] == "True"}
    return f"{sum(each in true for each in wanted)}/{len(wanted)}" if wanted else NONE


POD_COLUMNS = (
    NAME,
    Shown("Ready", ready),
    Shown("Status", status),
    Shown("Restarts", restarts),
    AGE,
    Shown("IP", address, wide=True),
    field("Node", "spec", "nodeName", wide=True),
    field("Nominated Node", "status", "nominatedNodeName", wide=True),
    Shown("Readiness Gates", gates, wide=True),
)
