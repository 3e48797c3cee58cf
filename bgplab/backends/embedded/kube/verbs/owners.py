"""Who owns whom: reading and rewriting ownerReferences."""

from __future__ import annotations

from bgplab.backends.embedded.kube.machine import Machine
from bgplab.backends.embedded.kube.store.item import Key, Value
from bgplab.backends.embedded.kube.verbs.request import Target


def owners_of(value: Value) -> list[Value]:
    return value["metadata"].get("ownerReferences") or []


def dependents_of(machine: Machine, uid: str) -> list[tuple[Key, Value]]:
    return [
        (key, item.value)
        for key, item in machine.store.everything()
        if any(owner["uid"] == uid for owner in owners_of(item.value))
    ]


def target_at(machine: Machine, key: Key) -> Target | None:
    """None when its resource is no longer served."""
    resource = machine.registry.find_id(key.resource)
    return None if resource is None else Target(resource, key.namespace, key.name)


def lives(machine: Machine, owner: Value) -> bool:
    return machine.store.by_uid(owner["uid"]) is not None


def is_orphaned(machine: Machine, value: Value) -> bool:
    """It names owners, and none of them exists."""
    owners = owners_of(value)
    return bool(owners) and not any(lives(machine, owner) for owner in owners)


def drop_owner(machine: Machine, key: Key, value: Value, uid: str) -> None:
    """Write the object without its reference to `uid`."""
    owners = [owner for owner in owners_of(value) if owner["uid"] != uid]
    metadata = {name: inner for name, inner in value["metadata"].items() if name != "ownerReferences"}
    machine.store.put(key, {**value, "metadata": metadata | ({"ownerReferences": owners} if owners else {})})


def blocks(value: Value, uid: str) -> bool:
    """Does this dependent hold up the foreground deletion of its owner?"""
    return any(owner["uid"] == uid and owner.get("blockOwnerDeletion") for owner in owners_of(value))
