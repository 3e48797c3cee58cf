"""Custom resource definitions: served as soon as they are written, or refused with every reason at once."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bgplab.backends.embedded.kube.errors import Cause
from bgplab.backends.embedded.kube.kinds.behaviour import Behaviour, immutable
from bgplab.backends.embedded.kube.machine import Machine
from bgplab.backends.embedded.kube.resources import Column, Resource
from bgplab.backends.embedded.kube.schema.cel.parser import CelSyntaxError
from bgplab.backends.embedded.kube.schema.cel.rules import compile_rule, fields_of
from bgplab.backends.embedded.kube.schema.defaults import fill_defaults
from bgplab.backends.embedded.kube.schema.shape import Compiler, compiled_pattern, custom_shape
from bgplab.backends.embedded.kube.schema.validate import misfits
from bgplab.backends.embedded.kube.store.item import Value
from bgplab.backends.embedded.kube.table.jsonpath import JsonPathError, compiled_path

SUPPORTED_TYPES = frozenset({"object", "array", "string", "integer", "number", "boolean"})
LOGIC = frozenset({"allOf", "anyOf", "oneOf", "not"})
UNSUPPORTED_KEYWORDS = ("$ref", "definitions", "patternProperties", "dependencies", "additionalItems", "id", "$schema")


def _complete(definition: Value) -> None:
    spec = definition.get("spec", {})
    names = spec.get("names", {})
    if "kind" in names:
        names.setdefault("singular", names["kind"].lower())
        names.setdefault("listKind", f"{names['kind']}List")
    spec.setdefault("conversion", {"strategy": "None"})


def _validate(new: Value, old: Value | None) -> Iterator[Cause]:
    spec = new.get("spec", {})
    names = spec.get("names", {})
    expected = f"{names.get('plural')}.{spec.get('group')}"
    if new["metadata"]["name"] != expected:
        yield Cause(
            "metadata.name", f'Invalid value: "{new["metadata"]["name"]}": must be spec.names.plural+"."+spec.group'
        )
    if spec.get("conversion", {}).get("strategy") != "None":
        yield Cause(
            "spec.conversion.strategy",
            'Unsupported value: "Webhook": supported values: "None"',
            "FieldValueNotSupported",
        )
    stored = [version for version in spec.get("versions", ()) if version.get("storage")]
    if len(stored) != 1:
        yield Cause("spec.versions", "Invalid value: must have exactly one version marked as storage version")
    for index, version in enumerate(spec.get("versions", ())):
        yield from _version_causes(version, f"spec.versions[{index}]")
    yield from immutable(new, old, "spec.group", "spec.scope", "spec.names.plural", "spec.names.kind")


def _version_causes(version: Value, path: str) -> Iterator[Cause]:
    schema = version.get("schema", {}).get("openAPIV3Schema")
    if schema is None:
        yield Cause(f"{path}.schema.openAPIV3Schema", "Required value: schemas are required", "FieldValueRequired")
        return
    wrong = list(_structural_causes(schema, Place(f"{path}.schema.openAPIV3Schema")))
    yield from wrong
    if not wrong:
        yield from _default_causes(schema, f"{path}.schema.openAPIV3Schema")
    for at, column in enumerate(version.get("additionalPrinterColumns", ())):
        try:
            compiled_path(column.get("jsonPath", ""))
        except JsonPathError as fault:
            yield Cause(f"{path}.additionalPrinterColumns[{at}].jsonPath", f"Invalid value: {fault}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a schema. logical: inside allOf, anyOf, oneOf, not. comparable: old and new can be paired here."""

    path: str
    logical: bool = False
    comparable: bool = True

    def below(self, schema: Mapping[str, Any], step: str) -> Place:
        keyword = step.partition("[")[0]
        paired = keyword != "items" or schema.get("x-kubernetes-list-type") == "map"
        return Place(f"{self.path}.{step}", self.logical or keyword in LOGIC, self.comparable and paired)


def _structural_causes(schema: Mapping[str, Any], place: Place) -> Iterator[Cause]:
    """What this server could not hold to later, refused now: never ignored."""
    path = place.path
    for keyword in UNSUPPORTED_KEYWORDS:
        if keyword in schema:
            yield Cause(f"{path}.{keyword}", f"Forbidden: {keyword} is not supported", "FieldValueForbidden")
    yield from _type_causes(schema, place)
    if "pattern" in schema:
        try:
            compiled_pattern(schema["pattern"])
        except re.error as fault:
            yield Cause(f"{path}.pattern", f"Invalid value: must be a valid regular expression, but isn't: {fault}")
    if schema.get("properties") and schema.get("additionalProperties"):
        message = "Forbidden: additionalProperties and properties are mutual exclusive"
        yield Cause(f"{path}.additionalProperties", message, "FieldValueForbidden")
    if schema.get("x-kubernetes-list-type") == "map" and not schema.get("x-kubernetes-list-map-keys"):
        yield Cause(f"{path}.x-kubernetes-list-map-keys", "Required value", "FieldValueRequired")
    for index, rule in enumerate(schema.get("x-kubernetes-validations", ())):
        yield from _rule_causes(schema, rule, place, f"{path}.x-kubernetes-validations[{index}].rule")
    for step, inner in _below(schema):
        yield from _structural_causes(inner, place.below(schema, step))


def _type_causes(schema: Mapping[str, Any], place: Place) -> Iterator[Cause]:
    free = schema.get("x-kubernetes-preserve-unknown-fields") or schema.get("x-kubernetes-int-or-string")
    kind, path = schema.get("type"), place.path
    if kind is None and not free and not place.logical:
        why = "Required value: must not be empty for specified object fields"
        yield Cause(f"{path}.type", why, "FieldValueRequired")
    elif kind is not None and kind not in SUPPORTED_TYPES:
        yield Cause(f"{path}.type", f'Unsupported value: "{kind}"', "FieldValueNotSupported")
    if kind == "array" and not isinstance(schema.get("items"), Mapping):
        yield Cause(f"{path}.items", "Required value: must be specified", "FieldValueRequired")


def _below(schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, inner in schema.get("properties", {}).items():
        yield f"properties[{name}]", inner
    for keyword in ("items", "additionalProperties", "not"):
        if isinstance(schema.get(keyword), Mapping):
            yield keyword, schema[keyword]
    for keyword in ("allOf", "anyOf", "oneOf"):
        for index, inner in enumerate(schema.get(keyword, ())):
            yield f"{keyword}[{index}]", inner


def _rule_causes(schema: Mapping[str, Any], rule: Mapping[str, Any], place: Place, path: str) -> Iterator[Cause]:
    try:
        compiled = compile_rule(rule)
    except (CelSyntaxError, KeyError) as fault:
        yield Cause(path, f"Invalid value: {rule!r}: compilation failed: {fault}")
        return
    if place.logical:
        yield Cause(path, "Forbidden: rules inside of logic are not structural", "FieldValueForbidden")
    if compiled.transition and not place.comparable:
        why = "oldSelf cannot be used on the uncorrelatable portion of the schema"
        yield Cause(path, f"Invalid value: {compiled.text!r}: {why}")
    for chain in sorted(fields_of(compiled.tree)):
        if not _declares(schema, chain):
            why = f"compilation failed: undefined field '{'.'.join(chain)}'"
            yield Cause(path, f"Invalid value: {compiled.text!r}: {why}")


def _declares(schema: Mapping[str, Any], chain: tuple[str, ...]) -> bool:
    at: Any = schema
    for name in chain:
        properties = at.get("properties", {})
        if name not in properties and not isinstance(at.get("additionalProperties"), Mapping):
            return False
        at = properties.get(name) or at["additionalProperties"]
    return True


def _default_causes(schema: Mapping[str, Any], path: str) -> Iterator[Cause]:
    """Defaults must fit their own schema, with what is defaulted below them."""
    for below, inner in _below(schema):
        at = f"{path}.{below}"
        if "default" in inner:
            shape = Compiler({}).compiled(inner)
            default = copy.deepcopy(inner["default"])
            fill_defaults(shape, default)
            for cause in misfits(shape, default, "default"):
                yield Cause(f"{at}.default", cause.message, cause.reason)
        yield from _default_causes(inner, at)


def _prepare(machine: Machine, new: Value, old: Value | None) -> None:
    """The status of a definition that is served: all its names accepted."""
    spec = new["spec"]
    status = new["status"] = dict(new.get("status", {}))
    if old is None or "conditions" not in status:
        now = machine.now()
        status["conditions"] = [
            _condition("NamesAccepted", "NoConflicts", "no conflicts found", now),
            _condition("Established", "InitialNamesAccepted", "the initial names have been accepted", now),
        ]
    status["acceptedNames"] = spec["names"]
    stored = next(version["name"] for version in spec["versions"] if version["storage"])
    status["storedVersions"] = sorted({*status.get("storedVersions", ()), stored})


def _condition(kind: str, reason: str, message: str, now: str) -> Value:
    return {"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": now}


def served_versions(definition: Value) -> list[Resource]:
    """The resources a definition makes, newest version first where discovery asks."""
    spec = definition["spec"]
    stored = next(version["name"] for version in spec["versions"] if version["storage"])
    return [_resource(spec, version, stored) for version in spec["versions"] if version.get("served")]


def _resource(spec: Value, version: Value, stored: str) -> Resource:
    names = spec["names"]
    subresources = version.get("subresources", {})
    scale = subresources.get("scale") or {}
    schema = version["schema"]["openAPIV3Schema"]
    group = ".".join(reversed(spec["group"].split(".")))
    return Resource(
        group=spec["group"],
        version=version["name"],
        kind=names["kind"],
        plural=names["plural"],
        singular=names["singular"],
        namespaced=spec["scope"] == "Namespaced",
        schema_name=f"{group}.{version['name']}.{names['kind']}",
        short_names=tuple(names.get("shortNames", ())),
        categories=tuple(names.get("categories", ())),
        subresources=frozenset(subresources),
        generation=True,
        custom=True,
        storage_version=stored,
        shape=custom_shape(schema, names["kind"]),
        schema=schema,
        columns=tuple(_column(column) for column in version.get("additionalPrinterColumns", ())),
        selectable=tuple(field["jsonPath"].lstrip(".") for field in version.get("selectableFields", ())),
        scale_paths=_scale_paths(scale),
        deprecation=_deprecation(spec, version),
    )


def _scale_paths(scale: Value) -> dict[str, str]:
    named = {"spec": "specReplicasPath", "status": "statusReplicasPath", "selector": "labelSelectorPath"}
    return {name: scale[key] for name, key in named.items() if key in scale}


def _deprecation(spec: Value, version: Value) -> str:
    if not version.get("deprecated"):
        return ""
    default = f"{spec['group']}/{version['name']} {spec['names']['kind']} is deprecated"
    return version.get("deprecationWarning", default)


def _column(column: Value) -> Column:
    return Column(
        name=column["name"],
        type=column["type"],
        json_path=column["jsonPath"],
        priority=column.get("priority", 0),
        format=column.get("format", ""),
        description=column.get("description", ""),
    )


def _stored(machine: Machine, definition: Value) -> None:
    if "deletionTimestamp" not in definition["metadata"]:
        machine.registry.replace(definition["metadata"]["name"], served_versions(definition))


def _removed(machine: Machine, definition: Value) -> None:
    machine.registry.replace(definition["metadata"]["name"], [])


DEFINITIONS = Behaviour(complete=_complete, validate=_validate, prepare=_prepare, stored=_stored, removed=_removed)
