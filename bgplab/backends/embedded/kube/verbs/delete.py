"""delete: at once, after finalizers, or for pods when their node says so; and what hangs on it goes along.

Dependents are collected in the same call, as the garbage collector of a cluster would soon after.
"""

from __future__ import annotations

from datetime import timedelta

from bgplab.backends.embedded.kube.errors import conflict
from bgplab.backends.embedded.kube.kinds.namespaces import is_empty, is_terminating, refuse_if_kept
from bgplab.backends.embedded.kube.kinds.table import behaviour_of
from bgplab.backends.embedded.kube.machine import Machine
from bgplab.backends.embedded.kube.store.item import Key, Value
from bgplab.backends.embedded.kube.verbs.owners import (
    blocks,
    dependents_of,
    drop_owner,
    is_orphaned,
    lives,
    owners_of,
    target_at,
)
from bgplab.backends.embedded.kube.verbs.request import DeleteOptions, Target

FOREGROUND = "foregroundDeletion"
DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"


def delete(machine: Machine, target: Target, options: DeleteOptions) -> tuple[Value, bool]:
    """The object as it was last, and whether it is gone already. Raises 403 (kept), 404, 409 (preconditions)."""
    value = machine.item(target).value
    if target.resource.id == "namespaces":
        refuse_if_kept(target.name)
    _check_preconditions(target, value, options)
    grace = _grace_seconds(target, value, options)
    waits = _waits(target, value, grace, options)
    if options.dry_run:
        return value, not waits
    if options.propagation == "Orphan":
        for key, dependent in dependents_of(machine, value["metadata"]["uid"]):
            drop_owner(machine, key, dependent, value["metadata"]["uid"])
    if not waits:
        return remove(machine, target), True
    marked = _marked(machine, target, value, grace, options.propagation == "Foreground")
    _after_marking(machine, target, marked)
    present = machine.store.get(target.key)
    return (marked, True) if present is None else (present.value, False)


def _waits(target: Target, value: Value, grace: int, options: DeleteOptions) -> bool:
    """Does the object stay for a while, marked?"""
    has_finalizers = bool(value["metadata"].get("finalizers"))
    return has_finalizers or grace > 0 or options.propagation == "Foreground" or target.resource.id == "namespaces"


def _check_preconditions(target: Target, value: Value, options: DeleteOptions) -> None:
    resource, metadata = target.resource, value["metadata"]
    asked = (("UID", "uid", options.uid), ("ResourceVersion", "resourceVersion", options.resource_version))
    for name, field, wanted in asked:
        if wanted and wanted != metadata[field]:
            why = f"Precondition failed: {name} in precondition: {wanted}, {name} in object meta: {metadata[field]}"
            raise conflict(resource.plural, resource.group, target.name, why)


def _grace_seconds(target: Target, value: Value, options: DeleteOptions) -> int:
    """Only pods that a node has taken and not finished get time to end."""
    if target.resource.id != "pods":
        return 0
    if not value["spec"].get("nodeName") or value.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return 0
    asked = options.grace_seconds
    grace = value["spec"].get("terminationGracePeriodSeconds", 30) if asked is None else max(0, asked)
    present = value["metadata"].get("deletionGracePeriodSeconds")
    return grace if present is None else min(grace, present)


def _marked(machine: Machine, target: Target, value: Value, grace: int, dependents_first: bool) -> Value:
    """Set deletionTimestamp (once; a shorter grace moves it forward) and the finalizer of a foreground deletion."""
    metadata = dict(value["metadata"])
    if "deletionTimestamp" not in metadata or grace < metadata.get("deletionGracePeriodSeconds", 0):
        at = machine.clock() + timedelta(seconds=grace)
        metadata["deletionTimestamp"] = at.strftime("%Y-%m-%dT%H:%M:%SZ")
        metadata["deletionGracePeriodSeconds"] = grace
        if "generation" in metadata:
            metadata["generation"] += 1
    if dependents_first and FOREGROUND not in metadata.get("finalizers", ()):
        metadata["finalizers"] = [*metadata.get("finalizers", ()), FOREGROUND]
    if metadata == value["metadata"]:
        return value
    marked = {**value, "metadata": metadata}
    if target.resource.id == "namespaces":
        marked["status"] = {**value.get("status", {}), "phase": "Terminating"}
    machine.store.put(target.key, marked)
    return marked


def _after_marking(machine: Machine, target: Target, marked: Value) -> None:
    if target.resource.id == "namespaces":
        _empty_namespace(machine, target.name)
    if FOREGROUND in marked["metadata"].get("finalizers", ()):
        _collect_dependents(machine, marked["metadata"]["uid"])
        _finish_foreground(machine, marked["metadata"]["uid"])


def remove(machine: Machine, target: Target) -> Value:
    """Take the object away with all that hangs on it. Returned is its last version."""
    last = machine.store.remove(target.key).value
    behaviour_of(target.resource).removed(machine, last)
    if target.resource.id == DEFINITIONS:
        _remove_instances(machine, target.name)
    _collect_dependents(machine, last["metadata"]["uid"])
    for owner in owners_of(last):
        _finish_foreground(machine, owner["uid"])
    if target.namespace and is_terminating(machine, target.namespace):
        _finish_namespace(machine, target.namespace)
    return last


def finish_if_released(machine: Machine, target: Target, value: Value) -> Value:
    """After an update: an object that only waited for its finalizers goes when the last one is taken off."""
    metadata = value["metadata"]
    waiting = "deletionTimestamp" in metadata and not metadata.get("finalizers")
    if not waiting or metadata.get("deletionGracePeriodSeconds") or target.resource.id == "namespaces":
        return value
    return remove(machine, target)


def collect_if_orphaned(machine: Machine, target: Target, value: Value) -> None:
    """An object born with owners of which none lives does not stay."""
    if is_orphaned(machine, value):
        delete(machine, target, DeleteOptions())


def _collect_dependents(machine: Machine, uid: str) -> None:
    """Dependents without another living owner go; the others forget this one."""
    for key, _ in dependents_of(machine, uid):
        item, target = machine.store.get(key), target_at(machine, key)
        if item is None or target is None:
            continue
        if any(owner["uid"] != uid and lives(machine, owner) for owner in owners_of(item.value)):
            drop_owner(machine, key, item.value, uid)
        else:
            delete(machine, target, DeleteOptions())


def _finish_foreground(machine: Machine, uid: str) -> None:
    """Take the finalizer off an owner that waits for its dependents when none that blocks it is left."""
    key = machine.store.by_uid(uid)
    item, target = (machine.store.get(key), target_at(machine, key)) if key else (None, None)
    if key is None or item is None or target is None:
        return
    finalizers = item.value["metadata"].get("finalizers", ())
    if FOREGROUND not in finalizers or any(blocks(value, uid) for _, value in dependents_of(machine, uid)):
        return
    metadata = {**item.value["metadata"], "finalizers": [each for each in finalizers if each != FOREGROUND]}
    value = {**item.value, "metadata": metadata}
    machine.store.put(key, value)
    finish_if_released(machine, target, value)


def _remove_instances(machine: Machine, resource_id: str) -> None:
    """A definition that goes takes its objects along, whatever their finalizers say: nobody could serve them."""
    for item in machine.store.select(resource_id):
        metadata = item.value["metadata"]
        machine.store.remove(Key(resource_id, metadata.get("namespace", ""), metadata["name"]))


def _empty_namespace(machine: Machine, name: str) -> None:
    for key, item in machine.store.everything():
        target = target_at(machine, key)
        if key.namespace == name and target is not None and machine.store.get(key) is item:
            delete(machine, target, DeleteOptions())
    _finish_namespace(machine, name)


def _finish_namespace(machine: Machine, name: str) -> None:
    target = target_at(machine, Key("namespaces", "", name))
    item = machine.store.get(target.key) if target else None
    if target and item and is_empty(machine, name) and not item.value["metadata"].get("finalizers"):
        remove(machine, target)
