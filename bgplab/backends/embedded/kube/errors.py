"""Refusals as the Kubernetes API words them: an exception that is a `Status`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Cause:
    """One field that is wrong. `reason` is the API's word (FieldValueInvalid, FieldValueRequired, …)."""

    path: str
    message: str
    reason: str = "FieldValueInvalid"


@dataclass(frozen=True)
class ApiError(Exception):
    """What the server answers instead of a result; becomes a `Status` of this code and reason."""

    code: int
    reason: str
    message: str
    details: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.code} {self.reason}: {self.message}"

    def status(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        }
        if self.details or self.reason == "NotFound":
            # `kubectl debug` looks into the details of this one without asking whether there are any
            body["details"] = self.details
        return body


def qualified(resource: str, group: str) -> str:
    return f"{resource}.{group}" if group else resource


def _about(name: str, group: str, kind: str) -> dict[str, Any]:
    return {key: value for key, value in (("name", name), ("group", group), ("kind", kind)) if value}


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def forbidden(plural: str, group: str, name: str, why: str) -> ApiError:
    message = f'{qualified(plural, group)} "{name}" is forbidden: {why}'
    return ApiError(403, "Forbidden", message, _about(name, group, plural))


def not_found(plural: str, group: str, name: str) -> ApiError:
    return ApiError(404, "NotFound", f'{qualified(plural, group)} "{name}" not found', _about(name, group, plural))


def no_such_path() -> ApiError:
    return ApiError(404, "NotFound", "the server could not find the requested resource")


def method_not_allowed(verb: str = "") -> ApiError:
    said = f" {verb}" if verb else ""
    return ApiError(405, "MethodNotAllowed", f"the server does not allow this method on the requested resource{said}")


def not_acceptable(offered: str) -> ApiError:
    return ApiError(406, "NotAcceptable", f"only the following media types are accepted: {offered}")


def already_exists(plural: str, group: str, name: str) -> ApiError:
    return ApiError(
        409, "AlreadyExists", f'{qualified(plural, group)} "{name}" already exists', _about(name, group, plural)
    )


def conflict(plural: str, group: str, name: str, why: str = "") -> ApiError:
    why = why or ("the object has been modified; please apply your changes to the latest version and try again")
    message = f'Operation cannot be fulfilled on {qualified(plural, group)} "{name}": {why}'
    return ApiError(409, "Conflict", message, _about(name, group, plural))


def expired(message: str) -> ApiError:
    return ApiError(410, "Expired", message)


def unsupported_media_type(offered: str) -> ApiError:
    message = f"the body of the request was in an unknown format - accepted media types include: {offered}"
    return ApiError(415, "UnsupportedMediaType", message)


def invalid(kind: str, group: str, name: str, causes: Iterable[Cause]) -> ApiError:
    """422 with every cause in it; the message joins them as kubectl's users know it."""
    causes = list(causes)
    told = [f"{cause.path}: {cause.message}" if cause.path else cause.message for cause in causes]
    joined = told[0] if len(told) == 1 else f"[{', '.join(told)}]"
    details = _about(name, group, kind)
    details["causes"] = [{"reason": c.reason, "message": c.message, "field": c.path} for c in causes]
    return ApiError(422, "Invalid", f'{qualified(kind, group)} "{name}" is invalid: {joined}', details)


def not_implemented(message: str) -> ApiError:
    return ApiError(501, "NotImplemented", message)


def too_large_resource_version(asked: int, current: int) -> ApiError:
    message = f"Too large resource version: {asked}, current: {current}"
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    return ApiError(504, "Timeout", message, {"causes": causes, "retryAfterSeconds": 1})
