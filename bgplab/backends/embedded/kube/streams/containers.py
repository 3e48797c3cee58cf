"""Which container of which pod a stream is about."""

from __future__ import annotations

from bgplab.backends.embedded.kube.errors import ApiError, bad_request, not_implemented
from bgplab.backends.embedded.kube.machine import Machine
from bgplab.backends.embedded.kube.runtime import PodRuntime
from bgplab.backends.embedded.kube.store.item import Value
from bgplab.backends.embedded.kube.verbs.request import Target

KINDS = ("containers", "initContainers", "ephemeralContainers")


def chosen_container(machine: Machine, target: Target, asked: str) -> str:
    """The container's name. Raises 400 when it is not one of the pod's or none is named among several; 404."""
    pod = machine.item(target).value
    own = [each["name"] for each in pod["spec"].get("containers", ())]
    if not asked and len(own) == 1:
        return own[0]
    if not asked:
        raise bad_request(f"a container name must be specified for pod {target.name}, choose one of: [{' '.join(own)}]")
    if asked not in {each["name"] for kind in KINDS for each in pod["spec"].get(kind, ())}:
        raise bad_request(f"container {asked} is not valid for pod {target.name}")
    if not pod["spec"].get("nodeName"):
        raise bad_request(f"pod {target.name} does not have a host assigned")
    return asked


def refuse_unless_running(pod: Value, container: str) -> None:
    """404 in kubelet's words when the pod's status says that the container does not run."""
    status = _status_of(pod, container)
    if status and "running" not in status.get("state", {}):
        raise ApiError(404, "NotFound", f'container not found ("{container}")')


def refuse_if_waiting(pod: Value, name: str, container: str) -> None:
    """400 with the reason while the container has never started."""
    status = _status_of(pod, container)
    waiting = status.get("state", {}).get("waiting")
    if waiting is not None and not status.get("lastState"):
        why = waiting.get("reason", "ContainerCreating")
        raise bad_request(f'container "{container}" in pod "{name}" is waiting to start: {why}')


def refuse_without_previous(pod: Value, name: str, container: str) -> None:
    """400 in kubelet's words when the container has not been started twice."""
    if not _status_of(pod, container).get("lastState"):
        raise bad_request(f'previous terminated container "{container}" in pod "{name}" not found')


def _status_of(pod: Value, container: str) -> Value:
    statuses = pod.get("status", {}).get("containerStatuses", ())
    return next((each for each in statuses if each["name"] == container), {})


def needed(runtime: PodRuntime | None) -> PodRuntime:
    """Raises 501 when nobody runs the pods of this server."""
    if runtime is None:
        raise not_implemented("no pods run behind this server")
    return runtime
