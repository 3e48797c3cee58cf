"""Names, identities and what clients may not write in `metadata`."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator

from bgplab.backends.embedded.kube.errors import Cause, bad_request, invalid
from bgplab.backends.embedded.kube.kinds.pods import not_a_label
from bgplab.backends.embedded.kube.machine import Machine
from bgplab.backends.embedded.kube.schema.formats import DNS_LABEL, DNS_SUBDOMAIN
from bgplab.backends.embedded.kube.store.item import Value
from bgplab.backends.embedded.kube.verbs.request import Target

SERVERS_OWN = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "selfLink")
LABEL_NAMED = frozenset({"namespaces", "services"})
LONGEST_GENERATED_BASE = 58
QUALIFIED = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)")
LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
ANNOTATION_BYTES = 256 * 1024
NOT_A_SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


def check_place(target: Target, value: Value) -> None:
    """Name and namespace of the body must be those of the path."""
    metadata = value["metadata"]
    if target.resource.namespaced:
        named = metadata.setdefault("namespace", target.namespace)
        if named != target.namespace:
            raise bad_request(
                f"the namespace of the provided object does not match the namespace sent on the request"
                f" ({named} != {target.namespace})"
            )
    else:
        metadata.pop("namespace", None)
    if target.name and not metadata.get("name"):
        raise bad_request(
            f"the name of the object ({target.name} based on URL) was undeterminable: name must be provided"
        )
    if target.name and metadata["name"] != target.name:
        raise bad_request(
            f"the name of the object ({metadata['name']}) does not match the name on the URL ({target.name})"
        )


def identify(machine: Machine, target: Target, value: Value) -> None:
    """Give a new object what makes it one: name, uid, time of birth, generation."""
    metadata = value["metadata"]
    for name in (*SERVERS_OWN, "resourceVersion", "managedFields"):
        metadata.pop(name, None)
    if not metadata.get("name"):
        metadata["name"] = _generated(machine, target, value)
    metadata["uid"] = str(uuid.UUID(int=machine.chance.getrandbits(128), version=4))
    metadata["creationTimestamp"] = machine.now()
    if target.resource.generation:
        metadata["generation"] = 1


def _generated(machine: Machine, target: Target, value: Value) -> str:
    base = value["metadata"].get("generateName")
    if not base:
        resource = target.resource
        cause = Cause("metadata.name", "Required value: name or generateName is required", "FieldValueRequired")
        raise invalid(resource.kind, resource.group, "", [cause])
    while True:
        name = base[:LONGEST_GENERATED_BASE] + machine.suffix()
        if machine.store.get(target.named(name).key) is None:
            return name


def inherit(new: Value, old: Value) -> None:
    """On an update the server's own fields stay what they were."""
    metadata, before = new["metadata"], old["metadata"]
    for name in SERVERS_OWN:
        if name in before:
            metadata[name] = before[name]
        else:
            metadata.pop(name, None)


def metadata_causes(target: Target, value: Value, old: Value | None) -> Iterator[Cause]:
    metadata = value["metadata"]
    yield from _name_causes(target, metadata["name"])
    yield from _label_causes(metadata.get("labels") or {}, "metadata.labels")
    for key in metadata.get("annotations") or {}:
        yield from _key_causes(key, "metadata.annotations")
    if sum(len(k) + len(v) for k, v in (metadata.get("annotations") or {}).items()) > ANNOTATION_BYTES:
        yield Cause(
            "metadata.annotations", f"Too long: may not be more than {ANNOTATION_BYTES} bytes", "FieldValueTooLong"
        )
    yield from _owner_causes(metadata.get("ownerReferences") or [])
    if old is not None and "deletionTimestamp" in old["metadata"]:
        added = set(metadata.get("finalizers") or ()) - set(old["metadata"].get("finalizers") or ())
        if added:
            why = "no new finalizers can be added if the object is being deleted"
            message = f"Forbidden: {why}, found new finalizers {sorted(added)}"
            yield Cause("metadata.finalizers", message, "FieldValueForbidden")


def _owner_causes(owners: list[Value]) -> Iterator[Cause]:
    controllers = [f"{owner.get('kind')}/{owner.get('name')}" for owner in owners if owner.get("controller")]
    if len(controllers) > 1:
        why = "Only one reference can have Controller set to true. Found"
        message = f'{why} "true" in references for {controllers[0]} and {controllers[1]}'
        yield Cause("metadata.ownerReferences", f"Invalid value: {json.dumps(owners)}: {message}")


def _name_causes(target: Target, name: str) -> Iterator[Cause]:
    if target.resource.id in LABEL_NAMED:
        if len(name) > 63 or not DNS_LABEL.fullmatch(name):
            yield Cause("metadata.name", not_a_label(name))
    elif len(name) > 253 or not DNS_SUBDOMAIN.fullmatch(name):
        yield Cause("metadata.name", f"Invalid value: {json.dumps(name)}: {NOT_A_SUBDOMAIN}")


def _label_causes(labels: dict[str, str], path: str) -> Iterator[Cause]:
    for key, value in labels.items():
        yield from _key_causes(key, path)
        if len(value) > 63 or not LABEL_VALUE.fullmatch(value):
            yield Cause(
                path,
                f"Invalid value: {json.dumps(value)}: a valid label must be an empty string or consist of alphanumeric "
                "characters, '-', '_' or '.', and must start and end with an alphanumeric character",
            )


def _key_causes(key: str, path: str) -> Iterator[Cause]:
    prefix, slash, name = key.rpartition("/")
    if len(name) > 63 or not QUALIFIED.fullmatch(name) or (slash and not DNS_SUBDOMAIN.fullmatch(prefix)):
        yield Cause(
            path,
            f"Invalid value: {json.dumps(key)}: name part must consist of alphanumeric characters, '-', '_' or '.'",
        )
