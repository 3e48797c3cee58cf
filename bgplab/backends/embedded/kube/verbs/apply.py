"""apply on the server: the fields a manager sends are its own; the ones it no longer sends go."""

from __future__ import annotations

from typing import Any

from bgplab.backends.embedded.kube.errors import ApiError, Cause, bad_request, invalid
from bgplab.backends.embedded.kube.machine import Machine
from bgplab.backends.embedded.kube.patch.apply_patch import merged, without
from bgplab.backends.embedded.kube.patch.fields import Path, fields_of, shown
from bgplab.backends.embedded.kube.patch.ownership import Claim, Ownership, Writer, claims_of, entries_of
from bgplab.backends.embedded.kube.resources import as_version
from bgplab.backends.embedded.kube.store.item import Value
from bgplab.backends.embedded.kube.verbs.create import add
from bgplab.backends.embedded.kube.verbs.decode import decoded
from bgplab.backends.embedded.kube.verbs.metadata import check_place
from bgplab.backends.embedded.kube.verbs.request import Target, WriteOptions, Written
from bgplab.backends.embedded.kube.verbs.update import replace


def apply(machine: Machine, target: Target, body: Any, options: WriteOptions) -> Written:
    """Create or merge. Raises 400, 404 (subresource of nothing), 409 (others own it), 422."""
    if not options.manager:
        cause = Cause("fieldManager", "Required value: is required for apply patch", "FieldValueRequired")
        raise invalid("PatchOptions", "meta.k8s.io", "", [cause])
    if isinstance(body, dict) and not (body.get("apiVersion") and body.get("kind")):
        missing = "apiVersion" if body.get("kind") else "Kind"
        raise bad_request(f"Object '{missing}' is missing in the applied configuration")
    value, warnings = decoded(target.resource, body, options.validation)
    if value["metadata"].get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    item = machine.store.get(target.key)
    if item is not None:
        value["metadata"].setdefault("name", target.name)  # what is merged has one: the live object's
    check_place(target, value)
    applied = _only(target, value)
    writer = Writer(options.manager, "Apply", target.resource.api_version, target.subresource)
    if item is None and not target.subresource:
        return _created(machine, target, applied, writer, options, warnings)
    live = as_version(target.resource, machine.item(target).value)
    result, ownership = _merge(target, live, applied, writer, options, machine.now())
    return Written(replace(machine, target, machine.item(target).value, result, options, ownership), warnings)


def _only(target: Target, value: Value) -> Value:
    """The part of a configuration that this endpoint writes."""
    if target.subresource == "status":
        return {name: value[name] for name in ("apiVersion", "kind", "metadata", "status") if name in value}
    if target.resource.has_status:
        return {name: inner for name, inner in value.items() if name != "status"}
    return value


def _owned_fields(target: Target, applied: Value) -> dict[Path, Any]:
    fields = fields_of(target.resource.shape, applied)
    if target.subresource == "status":
        return {path: value for path, value in fields.items() if path[0] == "f:status"}
    return fields


def _created(
    machine: Machine, target: Target, applied: Value, writer: Writer, options: WriteOptions, warnings: tuple[str, ...]
) -> Written:
    if applied["metadata"].get("resourceVersion"):
        raise bad_request("resourceVersion should not be set on objects to be created")
    claim = Claim(writer, frozenset(_owned_fields(target, applied)), machine.now())
    created = add(machine, target, applied, options, lambda old, new: entries_of([claim]))
    return Written(created, warnings, created=True)


def _merge(
    target: Target, live: Value, applied: Value, writer: Writer, options: WriteOptions, now: str
) -> tuple[Value, Ownership]:
    shape = target.resource.shape
    wanted = _owned_fields(target, applied)
    claims = claims_of(live)
    mine = next((claim for claim in claims if claim.writer == writer), Claim(writer, frozenset(), ""))
    others = [claim for claim in claims if claim.writer != writer]
    disputed = _disputed(fields_of(shape, live), wanted, others)
    if disputed and not options.force:
        raise _conflict(disputed)
    others = [claim.without({path for _, path in disputed}) for claim in others]
    kept = frozenset(wanted).union(*(claim.paths for claim in others))
    result = without(shape, merged(shape, live, applied), mine.paths - wanted.keys(), kept)
    unchanged = mine.paths == wanted.keys() and result == live
    claim = mine if unchanged else Claim(writer, frozenset(wanted), now)
    return result, lambda old, new: entries_of([*others, claim])


def _disputed(live: dict[Path, Any], wanted: dict[Path, Any], others: list[Claim]) -> list[tuple[Claim, Path]]:
    """Fields another manager owns with a value that differs from the one applied."""
    return [
        (claim, path)
        for claim in others
        for path in sorted(claim.paths & wanted.keys())
        if path in live and live[path] != wanted[path]
    ]


def _conflict(disputed: list[tuple[Claim, Path]]) -> ApiError:
    by_manager: dict[str, list[str]] = {}
    causes = []
    for claim, path in disputed:
        manager = _named(claim.writer)
        by_manager.setdefault(manager, []).append(shown(path))
        causes.append({"reason": "FieldManagerConflict", "message": f"conflict with {manager}", "field": shown(path)})
    count = len(disputed)
    if count == 1:
        message = (
            f"Apply failed with 1 conflict: conflict with {_named(disputed[0][0].writer)}: {shown(disputed[0][1])}"
        )
    else:
        told = [
            f"conflicts with {manager}:\n" + "\n".join(f"- {path}" for path in paths)
            for manager, paths in by_manager.items()
        ]
        message = f"Apply failed with {count} conflicts: " + "\n".join(told)
    return ApiError(409, "Conflict", message, {"causes": causes})


def _named(writer: Writer) -> str:
    with_subresource = f' with subresource "{writer.subresource}"' if writer.subresource else ""
    using = f" using {writer.api_version}" if writer.operation == "Update" else ""
    return f'"{writer.manager}"{with_subresource}{using}'
