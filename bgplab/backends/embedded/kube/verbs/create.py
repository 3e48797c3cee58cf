"""create: the first version of an object."""

from __future__ import annotations

from typing import Any

from bgplab.backends.embedded.kube.errors import already_exists, bad_request, forbidden, not_found
from bgplab.backends.embedded.kube.kinds.namespaces import is_terminating
from bgplab.backends.embedded.kube.kinds.table import behaviour_of
from bgplab.backends.embedded.kube.machine import Machine
from bgplab.backends.embedded.kube.patch.ownership import Ownership, updated_by
from bgplab.backends.embedded.kube.schema.defaults import fill_defaults
from bgplab.backends.embedded.kube.schema.validate import misfits
from bgplab.backends.embedded.kube.store.item import Key, Value
from bgplab.backends.embedded.kube.verbs.decode import decoded, refuse_if_invalid
from bgplab.backends.embedded.kube.verbs.delete import collect_if_orphaned
from bgplab.backends.embedded.kube.verbs.metadata import check_place, identify, metadata_causes
from bgplab.backends.embedded.kube.verbs.request import Target, WriteOptions, Written

BORN_WITH_STATUS = frozenset({"nodes"})  # a kubelet registers its node with it


def create(machine: Machine, target: Target, body: Any, options: WriteOptions) -> Written:
    """Raises 400, 403 (namespace is going), 404 (no namespace), 409 (exists), 422."""
    value, warnings = decoded(target.resource, body, options.validation)
    if value["metadata"].get("resourceVersion"):
        raise bad_request("resourceVersion should not be set on objects to be created")
    check_place(target, value)
    return Written(add(machine, target, value, options), warnings, created=True)


def add(
    machine: Machine, target: Target, value: Value, options: WriteOptions, ownership: Ownership | None = None
) -> Value:
    """Store a decoded object that is not there yet; the last leg of create and of an apply that creates."""
    resource = target.resource
    _check_namespace(machine, target, value)
    identify(machine, target, value)
    target = target.named(value["metadata"]["name"])
    if machine.store.get(target.key) is not None:
        raise already_exists(resource.plural, resource.group, target.name)
    behaviour = behaviour_of(resource)
    if resource.has_status and resource.id not in BORN_WITH_STATUS:
        value.pop("status", None)
    fill_defaults(resource.shape, value)
    behaviour.complete(value)
    causes = [*metadata_causes(target, value, None), *misfits(resource.shape, value), *behaviour.validate(value, None)]
    refuse_if_invalid(resource, value, causes)
    ownership = ownership or updated_by(resource, options.manager, machine.now())
    value["metadata"]["managedFields"] = ownership(None, value)
    if options.dry_run:
        return value
    behaviour.prepare(machine, value, None)
    value["apiVersion"] = resource.stored_api_version
    machine.store.put(target.key, value)
    behaviour.stored(machine, value)
    _follow_up(machine, target, value)
    return value


def _check_namespace(machine: Machine, target: Target, value: Value) -> None:
    if not target.resource.namespaced:
        return
    name = target.namespace
    if machine.store.get(Key("namespaces", "", name)) is None:
        raise not_found("namespaces", "", name)
    if is_terminating(machine, name):
        why = f"unable to create new content in namespace {name} because it is being terminated"
        raise forbidden(target.resource.plural, target.resource.group, value["metadata"].get("name", ""), why)


def _follow_up(machine: Machine, target: Target, value: Value) -> None:
    """What the real cluster's own controllers would do next: a namespace's account, orphans' end."""
    if target.resource.id == "namespaces":
        accounts = machine.registry.find("", "v1", "serviceaccounts")
        assert accounts is not None
        own = Target(accounts, namespace=target.name)
        body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
        create(machine, own, body, WriteOptions(manager="kube-controller-manager"))
    collect_if_orphaned(machine, target, value)
