"""Which container of which pod a stream is about."""

from __future__ import annotations

from bgplab.backends.embedded.kube.errors import bad_request, not_implemented
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


def refuse_if_waiting(pod: Value, name: str, container: str) -> None:
    """400 with the reason while the container has not started."""
    statuses = pod.get("status", {}).get("containerStatuses", ())
    waiting = (
        each["state"]["waiting"]
        for each in statuses
        if each["name"] == container and "waiting" in each.get("state", {})
    )
    for state in waiting:
        raise bad_request(
            f'container "{container}" in pod "{name}" is waiting to start: {state.get("reason", "ContainerCreating")}'
        )


def needed(runtime: PodRuntime | None) -> PodRuntime:
    """Raises 501 when nobody runs the pods of this server."""
    if runtime is None:
        raise not_implemented("no pods run behind this server")
    return runtime
