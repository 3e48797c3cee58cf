"""Schemas as the server works with them: OpenAPI v3 compiled once into `Shape`s that every walker reads."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bgplab.backends.embedded.kube.schema.cel.rules import Rule, compile_rule

Scalar = type[str] | type[int] | type[bool]

MISSING: Any = object()
REFERENCE = "#/components/schemas/"
OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


@dataclass(slots=True)
class Shape:
    """What a value may be. Filled while compiling, only read afterwards.

    type: None where anything goes. values: the shape of a map's values. open: unknown fields are kept.
    has_defaults: some default lies in or below, so defaulting need not walk the rest.
    plain: only the type is asked. exact: the class of all values of a scalar type, where one class is all there is.
    """

    name: str = ""
    type: str | None = None
    properties: dict[str, Shape] = field(default_factory=dict)
    values: Shape | None = None
    items: Shape | None = None
    required: tuple[str, ...] = ()
    open: bool = False
    int_or_string: bool = False
    nullable: bool = False
    embedded: bool = False
    default: Any = MISSING
    limits: Mapping[str, Any] = field(default_factory=dict)
    enum: tuple[Any, ...] = ()
    pattern: re.Pattern[str] | None = None
    pattern_text: str = ""
    format: str = ""
    list_type: str = "atomic"
    list_keys: tuple[str, ...] = ()
    map_type: str = "granular"
    merge_key: str = ""
    merge_strategy: str = ""
    rules: tuple[Rule, ...] = ()
    all_of: tuple[Shape, ...] = ()
    any_of: tuple[Shape, ...] = ()
    one_of: tuple[Shape, ...] = ()
    none_of: Shape | None = None
    has_defaults: bool = False
    plain: bool = True
    exact: Scalar | None = None


LIMITS = (
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "uniqueItems",
)
EXACT: Mapping[str | None, Scalar] = {"string": str, "integer": int, "boolean": bool}  # a number may be an int, too
SIBLINGS_THAT_MATTER = frozenset({"default", "x-kubernetes-patch-strategy", "x-kubernetes-map-type"})


def compiled_pattern(text: str) -> re.Pattern[str]:
    """`$` at the end means the very end, as in Go, not "before a last newline"."""
    ends = text.endswith("$") and not text.endswith("\\$")
    return re.compile(text[:-1] + r"\Z" if ends else text)


class Compiler:
    """Turns schemas into shapes; `definitions` are what `$ref` may point to (recursion is fine)."""

    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self._definitions = definitions
        self._named: dict[str, Shape] = {}

    def named(self, name: str) -> Shape:
        if name not in self._named:
            self._named[name] = Shape(name=name.rsplit(".", 1)[-1])
            self._fill(self._named[name], self._definitions[name])
        return self._named[name]

    def compiled(self, schema: Mapping[str, Any]) -> Shape:
        if "$ref" in schema:
            shape = self.named(schema["$ref"].removeprefix(REFERENCE))
            return self._adorned(shape, schema) if SIBLINGS_THAT_MATTER & schema.keys() else shape
        shape = Shape()
        self._fill(shape, schema)
        return shape

    def _adorned(self, shape: Shape, schema: Mapping[str, Any]) -> Shape:
        default = schema.get("default", MISSING)
        return dataclasses.replace(
            shape,
            default=default,
            has_defaults=shape.has_defaults or default is not MISSING,
            merge_strategy=schema.get("x-kubernetes-patch-strategy", shape.merge_strategy),
            map_type=schema.get("x-kubernetes-map-type", shape.map_type),
        )

    def _fill(self, shape: Shape, schema: Mapping[str, Any]) -> None:
        shape.type = schema.get("type")
        shape.open = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
        shape.int_or_string = bool(schema.get("x-kubernetes-int-or-string"))
        shape.exact = None if shape.int_or_string else EXACT.get(shape.type)
        shape.nullable = bool(schema.get("nullable"))
        shape.embedded = bool(schema.get("x-kubernetes-embedded-resource"))
        shape.default = schema.get("default", MISSING)
        shape.required = tuple(schema.get("required", ()))
        self._fill_children(shape, schema)
        self._fill_rules(shape, schema)
        self._fill_merging(shape, schema)

    def _fill_children(self, shape: Shape, schema: Mapping[str, Any]) -> None:
        shape.properties = {name: self.compiled(inner) for name, inner in schema.get("properties", {}).items()}
        values = schema.get("additionalProperties")
        if isinstance(values, Mapping):
            shape.values = self.compiled(values)
        elif values is True:
            shape.values = Shape(open=True)
        if "items" in schema:
            shape.items = self.compiled(schema["items"])
        children = [*shape.properties.values(), shape.values, shape.items]
        below = any(child is not None and child.has_defaults for child in children)
        shape.has_defaults = below or shape.default is not MISSING

    def _fill_rules(self, shape: Shape, schema: Mapping[str, Any]) -> None:
        shape.limits = {key: schema[key] for key in LIMITS if schema.get(key) is not None}
        shape.enum = tuple(schema.get("enum", ()))
        shape.pattern = compiled_pattern(schema["pattern"]) if schema.get("pattern") else None
        shape.pattern_text = schema.get("pattern", "")
        shape.format = schema.get("format", "")
        shape.all_of = tuple(self.compiled(inner) for inner in schema.get("allOf", ()))
        shape.any_of = tuple(self.compiled(inner) for inner in schema.get("anyOf", ()))
        shape.one_of = tuple(self.compiled(inner) for inner in schema.get("oneOf", ()))
        shape.none_of = self.compiled(schema["not"]) if "not" in schema else None
        shape.rules = tuple(compile_rule(rule) for rule in schema.get("x-kubernetes-validations", ()))
        logic = shape.all_of or shape.any_of or shape.one_of or shape.none_of
        shape.plain = not (shape.limits or shape.enum or shape.pattern or shape.format or shape.rules or logic)

    def _fill_merging(self, shape: Shape, schema: Mapping[str, Any]) -> None:
        shape.list_type = schema.get("x-kubernetes-list-type", "atomic")
        shape.list_keys = tuple(schema.get("x-kubernetes-list-map-keys", ()))
        shape.map_type = schema.get("x-kubernetes-map-type", "granular")
        shape.merge_key = schema.get("x-kubernetes-patch-merge-key", "")
        shape.merge_strategy = schema.get("x-kubernetes-patch-strategy", "")


@functools.cache
def builtin_definitions() -> Mapping[str, Any]:
    """The schemas of the built-in kinds by their OpenAPI names (written by generate.py)."""
    return json.loads(Path(__file__).with_name("builtin.json").read_text())


@functools.cache
def builtin_compiler() -> Compiler:
    return Compiler(builtin_definitions())


@functools.cache
def builtin_shape(name: str) -> Shape:
    return builtin_compiler().named(name)


def custom_shape(schema: Mapping[str, Any], kind: str) -> Shape:
    """The shape of a custom resource: its own schema, and the metadata every object has."""
    shape = Compiler({}).compiled({"type": "object", **schema})
    shape.name = kind
    own = shape.properties
    string = Shape(type="string")
    shape.properties = {**own, "apiVersion": string, "kind": string, "metadata": builtin_shape(OBJECT_META)}
    return shape
