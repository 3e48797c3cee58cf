"""Label and field selectors: text into predicates over objects."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from bgplab.backends.embedded.kube.errors import ApiError, bad_request
from bgplab.backends.embedded.kube.store.item import Value

Selects = Callable[[Value], bool]
Matches = Callable[[Mapping[str, str]], bool]

NAME = r"[A-Za-z0-9][-A-Za-z0-9_./]*"
SET_BASED = re.compile(rf"({NAME})\s+(in|notin)\s*\(([^()]*)\)")
EQUALITY = re.compile(rf"({NAME})\s*(==|=|!=|>|<)\s*([-A-Za-z0-9_.]*)")
EXISTENCE = re.compile(rf"(!?)\s*({NAME})")
# kind of resource -> field labels it can be selected by, besides metadata.name and metadata.namespace
FIELDS: Mapping[str, tuple[str, ...]] = {
    "pods": (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    "nodes": ("spec.unschedulable",),
    "services": ("spec.clusterIP", "spec.type"),
    "secrets": ("type",),
    "namespaces": ("status.phase",),
    "replicasets.apps": ("status.replicas",),
    "events": (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
}
# what Go's zero value prints as when the field is absent
ABSENT: Mapping[str, str] = {"spec.unschedulable": "false", "spec.hostNetwork": "false", "status.replicas": "0"}


def select_all(value: Value) -> bool:
    return True


def label_selector(text: str) -> Matches | None:
    """`a=b,c!=d,e in (f,g),!h` as a predicate over labels; None when nothing is selected by. Raises 400."""
    parts = [_requirement(part) for part in _split(text) if part.strip()]
    return (lambda labels: all(part(labels) for part in parts)) if parts else None


def _split(text: str) -> list[str]:
    return re.split(r",(?![^(]*\))", text)


def _requirement(text: str) -> Matches:
    text = text.strip()
    if match := SET_BASED.fullmatch(text):
        key, operator, listed = match.groups()
        values = {value.strip() for value in listed.split(",")}
        return _among(key, values) if operator == "in" else _not_among(key, values)
    if match := EQUALITY.fullmatch(text):
        return _compared(*match.groups())
    if match := EXISTENCE.fullmatch(text):
        absent, key = match.groups()
        return lambda labels: (key in labels) != bool(absent)
    raise bad_request(f"unable to parse requirement: found {text!r}, expected a label selector")


def _among(key: str, values: set[str]) -> Matches:
    return lambda labels: labels.get(key) in values


def _not_among(key: str, values: set[str]) -> Matches:
    return lambda labels: labels.get(key) not in values


def _compared(key: str, operator: str, value: str) -> Matches:
    if operator in (">", "<"):
        raise bad_request(f"operator {operator!r} in a label selector is not supported by this server")
    return _not_among(key, {value}) if operator == "!=" else _among(key, {value})


def object_selector(selector: Mapping[str, Any]) -> Matches:
    """A `LabelSelector` object as a predicate; the empty one selects everything."""
    wanted = selector.get("matchLabels") or {}
    rules = [_expression(rule) for rule in selector.get("matchExpressions") or ()]

    def matches(labels: Mapping[str, str]) -> bool:
        return all(labels.get(key) == value for key, value in wanted.items()) and all(rule(labels) for rule in rules)

    return matches


def _expression(rule: Mapping[str, Any]) -> Matches:
    key, values = rule["key"], set(rule.get("values") or ())
    operators: Mapping[str, Matches] = {
        "In": _among(key, values),
        "NotIn": _not_among(key, values),
        "Exists": lambda labels: key in labels,
        "DoesNotExist": lambda labels: key not in labels,
    }
    return operators[rule["operator"]]


def field_at(value: Mapping[str, Any], path: str) -> str:
    """The field as selectors compare it; what is absent reads as Go's zero value."""
    at: Any = value
    for name in path.split("."):
        at = at.get(name) if isinstance(at, Mapping) else None
    if path == "source" and isinstance(at, Mapping):
        at = at.get("component")
    if at is None:
        return ABSENT.get(path, "")
    return str(at).lower() if isinstance(at, bool) else str(at)


def field_selector(text: str, resource: str, more: tuple[str, ...] = ()) -> Selects | None:
    """`a=b,c!=d` over the fields `resource` can be selected by; `more`: a CRD's selectableFields. Raises 400."""
    known = {"metadata.name", "metadata.namespace", *FIELDS.get(resource, ()), *more}
    rules = [_field_rule(part.strip(), known) for part in text.split(",") if part.strip()]
    return (lambda value: all(rule(value) for rule in rules)) if rules else None


def _field_rule(text: str, known: set[str]) -> Selects:
    match = re.fullmatch(r"([\w.]+)(==|=|!=)(.*)", text)
    if match is None:
        raise bad_request(f"invalid selector: '{text}'; can't understand '{text}'")
    path, operator, wanted = match.groups()
    if path not in known:
        raise _unknown_field(text, path)
    return lambda value: (field_at(value, path) == wanted) == (operator != "!=")


def _unknown_field(text: str, path: str) -> ApiError:
    return bad_request(f'Unable to find field selector "{text}": field label not supported: {path}')


def selecting(labels: Matches | None, fields: Selects | None, namespace: str = "") -> Selects:
    """One predicate of what was asked for."""
    if labels is None and fields is None and not namespace:
        return select_all

    def selects(value: Value) -> bool:
        metadata = value["metadata"]
        if namespace and metadata.get("namespace") != namespace:
            return False
        if labels is not None and not labels(metadata.get("labels") or {}):
            return False
        return fields is None or fields(value)

    return selects
