"""What schedulers and drainers do to pods: binding and eviction."""

from __future__ import annotations

from typing import Any

from bgplab.backends.embedded.kube.errors import bad_request, conflict
from bgplab.backends.embedded.kube.machine import Machine
from bgplab.backends.embedded.kube.store.item import Value
from bgplab.backends.embedded.kube.verbs.delete import delete
from bgplab.backends.embedded.kube.verbs.request import DeleteOptions, Target, WriteOptions

SUCCESS: Value = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def bind(machine: Machine, target: Target, body: Any, options: WriteOptions) -> Value:
    """Give a pod its node, once. Raises 400, 404, 409 (it has one, or is going)."""
    target_node = body.get("target") if isinstance(body, dict) else None
    node = target_node.get("name") if isinstance(target_node, dict) else None
    if not node or not isinstance(node, str):
        raise bad_request("Binding: target.name is required")
    pod = machine.item(target).value
    if assigned := pod["spec"].get("nodeName"):
        raise conflict("pods/binding", "", target.name, f"pod {target.name} is already assigned to node {assigned!r}")
    if "deletionTimestamp" in pod["metadata"]:
        raise conflict(
            "pods/binding", "", target.name, f"pod {target.name} is being deleted, cannot be assigned to a host"
        )
    if options.dry_run:
        return dict(SUCCESS)
    conditions = [each for each in pod["status"].get("conditions", ()) if each["type"] != "PodScheduled"]
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": machine.now()}
    status = {**pod["status"], "conditions": [*conditions, scheduled]}
    bound = {**pod, "metadata": dict(pod["metadata"]), "spec": {**pod["spec"], "nodeName": node}, "status": status}
    machine.store.put(target.key, bound)
    return dict(SUCCESS)


def evict(machine: Machine, target: Target, body: Any) -> Value:
    """Delete a pod as drain does; there are no disruption budgets to ask."""
    if not isinstance(body, dict) or body.get("kind") != "Eviction":
        raise bad_request("the object provided is not an Eviction")
    given = body.get("deleteOptions") or {}
    if not isinstance(given, dict):
        raise bad_request("the object provided is not an Eviction: deleteOptions must be an object")
    if not given.get("dryRun"):
        delete(machine, target, DeleteOptions(grace_seconds=given.get("gracePeriodSeconds")))
    return dict(SUCCESS)
