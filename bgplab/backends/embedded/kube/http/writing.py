"""POST, PUT, PATCH, DELETE: what the request says in query and headers becomes options, then a verb does it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from bgplab.backends.embedded.kube.errors import (
    ApiError,
    bad_request,
    method_not_allowed,
    unsupported_media_type,
)
from bgplab.backends.embedded.kube.http.answers import item_bytes, json_bytes, json_value
from bgplab.backends.embedded.kube.http.negotiation import parsed_body, parsed_json, parsed_yaml, wanted_form
from bgplab.backends.embedded.kube.http.reading import selection
from bgplab.backends.embedded.kube.machine import Machine
from bgplab.backends.embedded.kube.resources import as_version
from bgplab.backends.embedded.kube.store.item import Value
from bgplab.backends.embedded.kube.table.tables import table_of
from bgplab.backends.embedded.kube.verbs.create import create
from bgplab.backends.embedded.kube.verbs.delete import delete
from bgplab.backends.embedded.kube.verbs.patch import APPLY_PATCH, patch, rescale
from bgplab.backends.embedded.kube.verbs.podverbs import bind, evict
from bgplab.backends.embedded.kube.verbs.request import DeleteOptions, FieldValidation, Target, WriteOptions, Written
from bgplab.backends.embedded.kube.verbs.scale import scale_of
from bgplab.backends.embedded.kube.verbs.update import update

LARGEST_BODY = 3 * 1024 * 1024
RETURNED_WHEN_DELETED = frozenset({"pods", "services", "serviceaccounts"})


async def write(machine: Machine, target: Target, request: Request) -> Response:
    """Answer a request that changes something."""
    query, headers = request.query_params, request.headers
    wanted = wanted_form(headers.get("accept", ""))
    body = await request.body()
    if len(body) > LARGEST_BODY:
        raise ApiError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {LARGEST_BODY}")
    media_type = headers.get("content-type", "")
    if request.method == "DELETE":
        return _delete(machine, target, query, parsed_body(media_type, body) if body else {})
    options = write_options(query, headers)
    if request.method == "PATCH":
        written = _patch(machine, target, media_type, body, options)
    else:
        written = _put_or_post(machine, target, request.method, parsed_body(media_type, body), options)
    code = 201 if written.created else 200
    stored = machine.store.holding(target.resource.id, written.value)
    if stored is not None and not wanted.table:
        return json_bytes(item_bytes(target.resource, stored), code, written.warnings)
    value = (
        as_version(target.resource, written.value)
        if written.value.get("kind") == target.resource.kind
        else written.value
    )
    if wanted.table and value.get("kind") == target.resource.kind:
        revision = value["metadata"].get("resourceVersion", "")
        value = table_of(target.resource, [value], machine.clock(), query.get("includeObject", "Metadata"), revision)
    return json_value(value, code, written.warnings)


def write_options(query: Mapping[str, str], headers: Mapping[str, str]) -> WriteOptions:
    validation = query.get("fieldValidation") or "Warn"
    if validation not in {each.value for each in FieldValidation}:
        raise bad_request(
            f'fieldValidation: Unsupported value: "{validation}": supported values: "Ignore", "Strict", "Warn"'
        )
    agent = headers.get("user-agent", "unknown").split("/")[0]
    return WriteOptions(
        manager=query.get("fieldManager") or agent[:128],
        dry_run=_dry_run(query.get("dryRun", "")),
        validation=FieldValidation(validation),
        force=query.get("force") in ("true", "1"),
    )


def _dry_run(text: str) -> bool:
    if text not in ("", "All"):
        raise bad_request(f'dryRun: Unsupported value: "{text}": supported values: "All"')
    return text == "All"


def _patch(machine: Machine, target: Target, media_type: str, body: bytes, options: WriteOptions) -> Written:
    if not target.name or target.subresource not in ("", "status", "scale"):
        raise method_not_allowed()
    name = media_type.split(";")[0].strip()
    content = parsed_yaml(body) if name == APPLY_PATCH else _json_patch_body(name, body)
    return patch(machine, target, name, content, options)


def _json_patch_body(name: str, body: bytes) -> Any:
    if "json" not in name:
        raise unsupported_media_type(
            "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
        )
    return parsed_json(body)


def _put_or_post(machine: Machine, target: Target, method: str, body: Any, options: WriteOptions) -> Written:
    if method == "POST":
        return _post(machine, target, body, options)
    if not target.name or target.subresource not in ("", "status", "scale", "finalize"):
        raise method_not_allowed()
    if target.subresource == "scale":
        old = machine.item(target).value
        return Written(scale_of(target.resource, rescale(machine, target, old, body, options)))
    return update(machine, target, body, options)


def _post(machine: Machine, target: Target, body: Any, options: WriteOptions) -> Written:
    if target.subresource == "binding":
        return Written(bind(machine, target, body, options), created=True)
    if target.subresource == "eviction":
        return Written(evict(machine, target, body), created=True)
    if target.name:
        raise method_not_allowed()
    if target.resource.namespaced and not target.namespace:
        raise method_not_allowed()
    return create(machine, target, body, options)


def _delete(machine: Machine, target: Target, query: Mapping[str, str], body: Any) -> Response:
    options = delete_options(query, body)
    if target.subresource:
        raise method_not_allowed()
    if not target.name:
        return _delete_collection(machine, target, query, options)
    last, gone = delete(machine, target, options)
    if gone and target.resource.id not in RETURNED_WHEN_DELETED:
        return json_value(_success(target, last))
    return json_value(as_version(target.resource, last))


def _success(target: Target, last: Value) -> Value:
    resource = target.resource
    details = {"name": target.name, "group": resource.group, "kind": resource.plural, "uid": last["metadata"]["uid"]}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {name: value for name, value in details.items() if value},
    }


def _delete_collection(machine: Machine, target: Target, query: Mapping[str, str], options: DeleteOptions) -> Response:
    if target.resource.namespaced and not target.namespace:
        raise method_not_allowed()
    selects = selection(target, query)
    deleted = []
    for item in machine.store.select(target.resource.id, target.namespace):
        own = target.named(item.value["metadata"]["name"])
        if selects(item.value) and machine.store.get(own.key) is not None:
            deleted.append(delete(machine, own, options)[0])
    return json_value(
        {
            "kind": target.resource.list_kind,
            "apiVersion": target.resource.api_version,
            "metadata": {"resourceVersion": str(machine.store.revision)},
            "items": [as_version(target.resource, value) for value in deleted],
        }
    )


def delete_options(query: Mapping[str, str], body: Any) -> DeleteOptions:
    """The body's options, else the query's. Raises 400, 422 for what is not understood."""
    if not isinstance(body, dict):
        raise bad_request("the object provided is not DeleteOptions")
    grace = body.get("gracePeriodSeconds", query.get("gracePeriodSeconds"))
    propagation = body.get("propagationPolicy") or query.get("propagationPolicy")
    if propagation is None:
        orphan = body.get("orphanDependents", query.get("orphanDependents") == "true")
        propagation = "Orphan" if orphan else "Background"
    if propagation not in ("Background", "Foreground", "Orphan"):
        raise ApiError(
            422,
            "Invalid",
            f'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: "{propagation}"',
        )
    conditions = body.get("preconditions") or {}
    dry_run = body.get("dryRun") or ([query["dryRun"]] if query.get("dryRun") else [])
    if not isinstance(conditions, dict) or not isinstance(dry_run, list):
        raise bad_request("the object provided is not DeleteOptions: preconditions is an object and dryRun a list")
    try:
        grace_seconds = None if grace is None else int(grace)
    except (TypeError, ValueError):
        raise bad_request(f"gracePeriodSeconds: {grace!r} is not a number") from None
    return DeleteOptions(
        grace_seconds=grace_seconds,
        propagation=propagation,
        uid=conditions.get("uid") or "",
        resource_version=conditions.get("resourceVersion") or "",
        dry_run=_dry_run(dry_run[0] if dry_run else ""),
    )
