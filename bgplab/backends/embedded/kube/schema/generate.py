"""Writes `builtin.json`, the schemas of the built-in kinds, from the models of the `kubernetes` client (Apache-2.0).

The models know fields, types, what is required and what it means. What they do not say (defaults, enumerations, how
lists merge) stands in `overlay.py`, taken from the Kubernetes API reference. Run by hand when kinds are added:

    python -m bgplab.backends.embedded.kube.schema.generate
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from bgplab.backends.embedded.kube.schema.overlay import FIELDS, QUANTITIES

TARGET = Path(__file__).with_name("builtin.json")

CORE = "io.k8s.api.core.v1"
META = "io.k8s.apimachinery.pkg.apis.meta.v1"
APPS = "io.k8s.api.apps.v1"
DISCOVERY = "io.k8s.api.discovery.v1"
COORDINATION = "io.k8s.api.coordination.v1"
EXTENSIONS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1"

# model of the client -> package of its schema; everything not named here is core/v1
ROOTS = {
    "V1Namespace": CORE,
    "V1Node": CORE,
    "V1Pod": CORE,
    "V1Service": CORE,
    "V1Endpoints": CORE,
    "V1ConfigMap": CORE,
    "V1Secret": CORE,
    "V1ServiceAccount": CORE,
    "CoreV1Event": CORE,
    "V1Binding": CORE,
    "V1Deployment": APPS,
    "V1ReplicaSet": APPS,
    "V1DaemonSet": APPS,
    "V1EndpointSlice": DISCOVERY,
    "V1Lease": COORDINATION,
    "V1CustomResourceDefinition": EXTENSIONS,
    "V1Scale": "io.k8s.api.autoscaling.v1",
    "V1Eviction": "io.k8s.api.policy.v1",
    "V1DeleteOptions": META,
}
PACKAGES = (
    (r"V1(ObjectMeta|OwnerReference|ManagedFieldsEntry|LabelSelector.*|Condition|DeleteOptions|Preconditions)$", META),
    (r"V1(Deployment|ReplicaSet|DaemonSet|RollingUpdate).*", APPS),
    (r"(V1Endpoint(Conditions|Hints|Slice)?|V1For(Zone|Node)|DiscoveryV1EndpointPort)$", DISCOVERY),
    (r"V1Lease.*", COORDINATION),
    (r"(V1CustomResource.*|ApiextensionsV1.*|V1JSONSchemaProps|V1ExternalDocumentation|V1ValidationRule)$", EXTENSIONS),
    (r"V1SelectableField$", EXTENSIONS),
    (r"V1Scale(Spec|Status)$", "io.k8s.api.autoscaling.v1"),
)


def schema_name(model: str) -> str:
    """`V1Pod` -> `io.k8s.api.core.v1.Pod`: the name OpenAPI readers expect."""
    package = ROOTS.get(model) or next((package for rule, package in PACKAGES if re.match(rule, model)), CORE)
    short = re.sub(r"^(CoreV1|DiscoveryV1|EventsV1|ApiextensionsV1|AuthenticationV1|V1)", "", model)
    return f"{package}.{short}"


def first_sentence(text: str) -> str:
    text = " ".join(text.split("Attributes:")[0].split())
    return re.split(r"(?<=[a-z)`'\"])\. ", text)[0].removesuffix(".") + "." if text else ""


def unwrapped(schema: dict[str, Any]) -> dict[str, Any]:
    """Drop the `or null` of optional fields; of the unions that remain only integer-or-string can be described."""
    options = [option for option in schema.get("anyOf", ()) if option.get("type") != "null"]
    if len(options) == 1:
        return options[0]
    if {option.get("type") for option in options} == {"integer", "string"}:
        return {"x-kubernetes-int-or-string": True}
    return {} if options else schema


def converted(schema: dict[str, Any]) -> dict[str, Any]:
    inner = unwrapped(schema)
    if "$ref" in inner:
        return {"$ref": "#/components/schemas/" + schema_name(inner["$ref"].rsplit("/", 1)[-1])}
    kept: dict[str, Any] = {key: inner[key] for key in ("type", "format", "x-kubernetes-int-or-string") if key in inner}
    if "items" in inner:
        kept["items"] = converted(inner["items"])
    if isinstance(inner.get("additionalProperties"), dict):
        kept["additionalProperties"] = converted(inner["additionalProperties"])
    if kept in ({}, {"type": "object"}):
        return {"x-kubernetes-preserve-unknown-fields": True}
    return kept


def definition(model: str, schema: dict[str, Any]) -> dict[str, Any]:
    short = schema_name(model).rsplit(".", 1)[-1]
    properties = {}
    for field, of_field in schema.get("properties", {}).items():
        made = converted(of_field)
        if f"{short}.{field}" in QUANTITIES:
            made = QUANTITIES[f"{short}.{field}"]
        description = first_sentence(of_field.get("description", ""))
        properties[field] = {**made, "description": description, **FIELDS.get(f"{short}.{field}", {})}
    made = {"type": "object", "description": first_sentence(schema.get("description", "")), "properties": properties}
    if schema.get("required"):
        made["required"] = sorted(schema["required"])
    return made


def collected() -> dict[str, Any]:
    from kubernetes.client import models

    found: dict[str, Any] = {}
    for root in ROOTS:
        schema = getattr(models, root).model_json_schema(mode="serialization")
        inner = schema.pop("$defs", {})
        for model, of_model in {**inner, root: schema}.items():
            if "properties" in of_model:
                found[schema_name(model)] = definition(model, of_model)
    return dict(sorted(found.items()))


def main() -> None:
    schemas = collected()
    unknown = [key for key in FIELDS | QUANTITIES if not any(_has(schemas, key, name) for name in schemas)]
    if unknown:
        raise SystemExit(f"overlay.py names fields that do not exist: {unknown}")
    TARGET.write_text(json.dumps(schemas, indent=0, sort_keys=True) + "\n")


def _has(schemas: dict[str, Any], key: str, name: str) -> bool:
    kind, field = key.split(".")
    return name.rsplit(".", 1)[-1] == kind and field in schemas[name]["properties"]


if __name__ == "__main__":
    main()
