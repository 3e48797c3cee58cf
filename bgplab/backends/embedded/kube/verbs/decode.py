"""A body becomes an object of the target's kind: known fields only, types right, or a refusal that names the field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bgplab.backends.embedded.kube.errors import ApiError, Cause, bad_request, invalid
from bgplab.backends.embedded.kube.resources import Resource
from bgplab.backends.embedded.kube.schema.prune import pruned
from bgplab.backends.embedded.kube.schema.shape import Shape
from bgplab.backends.embedded.kube.schema.validate import first_mistyped
from bgplab.backends.embedded.kube.store.item import Value
from bgplab.backends.embedded.kube.verbs.request import FieldValidation

ZERO: dict[str | None, Any] = {"string": "", "integer": 0, "boolean": False, "number": 0}


def decoded(
    resource: Resource,
    body: Any,
    validation: FieldValidation,
    refuse_unknown: Callable[[str], ApiError] | None = None,
) -> tuple[Value, tuple[str, ...]]:
    """The object and warnings. The caller owns the result.

    refuse_unknown: how strict validation refuses, given the complaint (patches word it differently).
    """
    body = _with_kind(resource, body)
    value, unknown = pruned(resource.shape, body, drop_nulls=not resource.custom)
    complaints = [f'unknown field "{path}"' for path in unknown]
    if complaints and validation is FieldValidation.STRICT:
        refusal = refuse_unknown or (lambda complaint: _cannot_handle(resource, complaint))
        raise refusal(f"strict decoding error: {', '.join(complaints)}")
    if not isinstance(value.setdefault("metadata", {}), dict):
        raise _cannot_handle(resource, "json: cannot unmarshal metadata into Go value of type v1.ObjectMeta")
    _check_types(resource, {"metadata": value["metadata"]} if resource.custom else value)
    if not resource.custom:
        _zero_status(resource.shape, value)
    warnings = tuple(complaints) if validation is FieldValidation.WARN else ()
    return value, warnings + ((resource.deprecation,) if resource.deprecation else ())


def _with_kind(resource: Resource, body: Any) -> Value:
    """The body, of the right kind. Built-ins need not name it: the path does (clients' models often leave it out)."""
    if not isinstance(body, dict):
        raise bad_request("the object provided is unrecognized: expected a JSON object")
    own = {"apiVersion": resource.api_version, "kind": resource.kind}
    version, kind = (body.get(name) or (None if resource.custom else own[name]) for name in own)
    if version is None or kind is None:
        missing = "Kind" if kind is None else "apiVersion"
        raise bad_request(f"Object '{missing}' is missing in the request body")
    if (version, kind) != (resource.api_version, resource.kind):
        raise bad_request(
            f"the API version in the data ({version}, {kind}) does not match the expected API version "
            f"({resource.api_version}, {resource.kind})"
        )
    return {**own, **body} if resource.custom else {**body, **own}


def _cannot_handle(resource: Resource, why: str) -> ApiError:
    kind, version = resource.kind, resource.version
    return bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {why}')


def _check_types(resource: Resource, value: Value) -> None:
    """What the real server decodes into Go structs (built-ins, everybody's metadata): a wrong type is a bad request."""
    cause = first_mistyped(resource.shape, value)
    if cause is not None:
        said = cause.message.rsplit("must be of type ", 1)[-1]
        wanted, _, found = said.partition(": ")
        named = found.strip('"').replace("boolean", "bool").replace("integer", "number")
        go_field = f"{resource.kind}.{cause.path}"
        raise _cannot_handle(
            resource, f"json: cannot unmarshal {named} into Go struct field {go_field} of type {wanted}"
        )


def _zero_status(shape: Shape, value: Value) -> None:
    """Required scalars that a status leaves out read as Go's zero values."""
    if "status" in value and "status" in shape.properties:
        _fill_zeros(shape.properties["status"], value["status"])


def _fill_zeros(shape: Shape, value: Any) -> None:
    if isinstance(value, list) and shape.items is not None:
        for item in value:
            _fill_zeros(shape.items, item)
    if not isinstance(value, dict):
        return
    for name in shape.required:
        zero = ZERO.get(shape.properties[name].type) if name in shape.properties else None
        if zero is not None and shape.properties[name].format != "date-time":
            value.setdefault(name, zero)
    for name, inner in value.items():
        below = shape.properties.get(name)
        if below is not None:
            _fill_zeros(below, inner)


def refuse_if_invalid(resource: Resource, value: Value, causes: list[Cause]) -> None:
    """Raise 422 with all causes, if any."""
    if causes:
        raise invalid(resource.kind, resource.group, value.get("metadata", {}).get("name", ""), causes)
