"""The scale subresource: replicas of anything that has them, in one form."""

from __future__ import annotations

from typing import Any

from bgplab.backends.embedded.kube.errors import Cause, bad_request, invalid
from bgplab.backends.embedded.kube.resources import Resource
from bgplab.backends.embedded.kube.store.item import Value
from bgplab.backends.embedded.kube.verbs.request import Target


def _names(path: str) -> list[str]:
    return path.strip(".").split(".")


def _read(value: Value, path: str) -> Any:
    found: Any = value
    for name in _names(path):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def selector_text(selector: Any) -> str:
    """A label selector object as the text clients send."""
    if not isinstance(selector, dict):
        return selector or ""
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    return ",".join(parts + [_expression_text(rule) for rule in selector.get("matchExpressions") or ()])


def _expression_text(rule: Value) -> str:
    values = ",".join(rule.get("values") or ())
    key = rule["key"]
    forms = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key, "DoesNotExist": f"!{key}"}
    return forms[rule["operator"]]


def scale_of(resource: Resource, value: Value) -> Value:
    metadata, paths = value["metadata"], resource.scale_paths
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    replicas = _read(value, paths["spec"])
    status: Value = {"replicas": _read(value, paths["status"]) or 0}
    if selector := selector_text(_read(value, paths["selector"]) if "selector" in paths else None):
        status["selector"] = selector
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: metadata[name] for name in kept if name in metadata},
        "spec": {"replicas": replicas} if replicas is not None else {},
        "status": status,
    }


def scaled(target: Target, value: Value, scale: Any) -> Value:
    """The object with the replicas a Scale asks for; its resourceVersion is the condition. Raises 400, 422."""
    if not isinstance(scale, dict) or scale.get("kind") not in (None, "Scale"):
        raise bad_request("the object provided is not a Scale")
    spec, given = scale.get("spec") or {}, scale.get("metadata") or {}
    if not isinstance(spec, dict) or not isinstance(given, dict):
        raise bad_request('Scale in version "v1" cannot be handled as a Scale: spec and metadata must be objects')
    replicas = spec.get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        raise bad_request('Scale in version "v1" cannot be handled as a Scale: spec.replicas must be an integer')
    if replicas < 0:
        why = f"Invalid value: {replicas}: must be greater than or equal to 0"
        raise invalid("Scale", "autoscaling", target.name, [Cause("spec.replicas", why)])
    metadata = dict(value["metadata"])
    metadata["resourceVersion"] = given.get("resourceVersion") or metadata["resourceVersion"]
    return _with(value, _names(target.resource.scale_paths["spec"]), replicas) | {"metadata": metadata}


def _with(value: Value, names: list[str], replicas: int) -> Value:
    first, *rest = names
    return {**value, first: _with(value.get(first, {}), rest, replicas) if rest else replicas}
