"""`kubectl get pods -o wide`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from bgplab.lab.cluster import POD, Cluster, Manifest


@dataclass(frozen=True, slots=True)
class PodSeen:
    """A Pod object. A pod that is being deleted has `deleting` set and still counts as Running in its phase.

    waits_for: why it has no node, or why containers of it do not run, as the scheduler and the kubelet say it; else "".
    """

    name: str
    namespace: str
    node: str | None
    address: IPv4Address | None
    phase: str
    ready: bool
    deleting: bool
    labels: Mapping[str, str]
    waits_for: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.state}"

    @property
    def state(self) -> str:
        """`Running`, `Running, not ready`, `Pending: ErrImagePull: …`."""
        phase = f"{self.phase}, not ready" if self.phase == "Running" and not self.ready else self.phase
        return f"{phase}: {self.waits_for}" if self.waits_for else phase


@dataclass(frozen=True, slots=True)
class Pods:
    """The pods of one namespace."""

    pods: tuple[PodSeen, ...]

    def of_app(self, name: str) -> tuple[PodSeen, ...]:
        """Pods with the label app=name that are not being deleted."""
        return tuple(pod for pod in self.pods if pod.labels.get("app") == name and not pod.deleting)

    def named(self, name: str) -> PodSeen | None:
        return next((pod for pod in self.pods if pod.name == name), None)


def states_of(pods: Iterable[PodSeen]) -> list[str]:
    """`webpod-a, webpod-b Pending: ErrImagePull: …`: one sentence for each state, as pods mostly share theirs."""
    names: dict[str, list[str]] = {}
    for pod in sorted(pods, key=lambda pod: pod.name):
        names.setdefault(pod.state, []).append(pod.name)
    return [f"{', '.join(those)} {state}" for state, those in names.items()]


def read_pods(cluster: Cluster, namespace: str, labels: str = "") -> Pods:
    return Pods(tuple(parse_pod(item) for item in cluster.list(POD, namespace, labels=labels)))


def parse_pod(item: Manifest) -> PodSeen:
    metadata, spec, status = item["metadata"], item.get("spec", {}), item.get("status", {})
    address = status.get("podIP")
    return PodSeen(
        metadata["name"],
        metadata.get("namespace", "default"),
        spec.get("nodeName"),
        IPv4Address(address) if address else None,
        status.get("phase", "Pending"),
        any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", [])),
        bool(metadata.get("deletionTimestamp")),
        dict(metadata.get("labels") or {}),
        "; ".join([*_unscheduled(status), *_waiting(status)]),
    )


def _unscheduled(status: Manifest) -> list[str]:
    return [
        _sentence(condition.get("reason", "not scheduled"), condition.get("message", ""))
        for condition in status.get("conditions", [])
        if (condition["type"], condition["status"]) == ("PodScheduled", "False")
    ]


#: A container on its way: nothing is the matter with it yet.
_STARTING = frozenset({"ContainerCreating", "PodInitializing"})


def _waiting(status: Manifest) -> list[str]:
    """Of each container that waits, reason and message; of one that crashes how it ended, instead of the message.

    That says for how long the kubelet waits, and names the pod: no two pods would be in the same state.
    """
    told = []
    for container in (*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])):
        waiting = container.get("state", {}).get("waiting")
        if not waiting or (waiting.get("reason") in _STARTING and not waiting.get("message")):
            continue
        reason, message = waiting.get("reason", "waiting"), waiting.get("message", "")
        ended = container.get("lastState", {}).get("terminated")
        if ended and reason == "CrashLoopBackOff":
            why = f" ({ended['reason']})" if ended.get("reason") not in (None, "Error") else ""
            message = f"container {container['name']} ended with status {ended['exitCode']}{why}"
        told.append(_sentence(reason, message))
    return list(dict.fromkeys(told))


def _sentence(reason: str, message: str) -> str:
    return f"{reason}: {message}" if message else reason
