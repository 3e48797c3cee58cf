"""update: a new version in place of the present one, whole or only its status."""

from __future__ import annotations

from typing import Any

from bgplab.backends.embedded.kube.errors import Cause, conflict, invalid
from bgplab.backends.embedded.kube.kinds.services import complete_update
from bgplab.backends.embedded.kube.kinds.table import behaviour_of
from bgplab.backends.embedded.kube.machine import Machine
from bgplab.backends.embedded.kube.patch.ownership import Ownership, updated_by
from bgplab.backends.embedded.kube.schema.defaults import fill_defaults
from bgplab.backends.embedded.kube.schema.validate import misfits
from bgplab.backends.embedded.kube.store.item import Value
from bgplab.backends.embedded.kube.verbs.decode import decoded, refuse_if_invalid
from bgplab.backends.embedded.kube.verbs.delete import finish_if_released
from bgplab.backends.embedded.kube.verbs.metadata import check_place, inherit, metadata_causes
from bgplab.backends.embedded.kube.verbs.request import Target, WriteOptions, Written


def update(machine: Machine, target: Target, body: Any, options: WriteOptions) -> Written:
    """Raises 400, 404, 409 (another version came first), 422. Without a resourceVersion the last writer wins."""
    old = machine.item(target).value
    value, warnings = decoded(target.resource, body, options.validation)
    check_place(target, value)
    _require_version(target, value)
    return Written(replace(machine, target, old, value, options), warnings)


def replace(
    machine: Machine,
    target: Target,
    old: Value,
    value: Value,
    options: WriteOptions,
    ownership: Ownership | None = None,
) -> Value:
    """Store a decoded object over `old`; the last leg of update, patch and apply. The caller hands `value` over."""
    resource = target.resource
    _check_preconditions(target, old, value)
    if target.subresource == "status":
        value = {**old, "metadata": {**old["metadata"]}} | ({"status": value["status"]} if "status" in value else {})
    elif resource.has_status:
        value = {name: inner for name, inner in value.items() if name != "status"}
        value |= {"status": old["status"]} if "status" in old else {}
    inherit(value, old)
    value["apiVersion"] = resource.api_version
    _complete(target, value, old)
    causes = [
        *metadata_causes(target, value, old),
        *misfits(resource.shape, value, "", old),
        *behaviour_of(resource).validate(value, old),
    ]
    refuse_if_invalid(resource, value, causes)
    ownership = ownership or updated_by(resource, options.manager, machine.now(), target.subresource)
    value["metadata"]["managedFields"] = ownership(old, value)
    return _committed(machine, target, old, value, options)


def _complete(target: Target, value: Value, old: Value) -> None:
    if target.resource.id == "services":
        complete_update(value, old)
    if target.subresource != "status":
        fill_defaults(target.resource.shape, value)
        behaviour_of(target.resource).complete(value)


def _committed(machine: Machine, target: Target, old: Value, value: Value, options: WriteOptions) -> Value:
    resource = target.resource
    if resource.generation and _counted(value) != _counted(old):
        value["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
    if options.dry_run:
        return value
    value["apiVersion"] = resource.stored_api_version
    value["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
    if value == old:
        return old
    if target.subresource != "status":
        behaviour_of(resource).prepare(machine, value, old)
    machine.store.put(target.key, value)
    behaviour_of(resource).stored(machine, value)
    return finish_if_released(machine, target, value)


def _counted(value: Value) -> Value:
    """What the generation counts: everything that is neither metadata nor status."""
    return {name: inner for name, inner in value.items() if name not in ("apiVersion", "metadata", "status")}


def _require_version(target: Target, value: Value) -> None:
    """Custom resources and their definitions are not overwritten blindly (AllowUnconditionalUpdate is false there)."""
    resource = target.resource
    if (resource.custom or resource.kind == "CustomResourceDefinition") and not value["metadata"].get(
        "resourceVersion"
    ):
        cause = Cause("metadata.resourceVersion", "Invalid value: 0x0: must be specified for an update")
        raise invalid(resource.kind, resource.group, target.name, [cause])


def _check_preconditions(target: Target, old: Value, value: Value) -> None:
    resource, before, metadata = target.resource, old["metadata"], value["metadata"]
    asked = metadata.get("resourceVersion")
    if asked and asked != before["resourceVersion"]:
        raise conflict(resource.plural, resource.group, target.name)
    if metadata.get("uid") and metadata["uid"] != before["uid"]:
        why = f"Precondition failed: UID in precondition: {metadata['uid']}, UID in object meta: {before['uid']}"
        raise conflict(resource.plural, resource.group, target.name, why)
