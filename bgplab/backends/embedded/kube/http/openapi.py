"""OpenAPI v3 as kubectl reads it: for apply (how lists merge, that fieldValidation is understood) and explain.

Version 2 is there without a single path. kubectl looks into it for kinds it finds nowhere else, and without it would
say that it failed to download a document, instead of `no matches for kind`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from starlette.responses import Response

from bgplab.backends.embedded.kube.errors import no_such_path
from bgplab.backends.embedded.kube.http.answers import json_value
from bgplab.backends.embedded.kube.registry import Registry
from bgplab.backends.embedded.kube.resources import Resource
from bgplab.backends.embedded.kube.schema.shape import REFERENCE, builtin_definitions

TITLE, VERSION = "Kubernetes", "v1"
KIND = "x-kubernetes-group-version-kind"
QUERIES = ("dryRun", "fieldManager", "fieldValidation", "pretty")
ALSO = {"": ("io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions", "io.k8s.api.core.v1.Binding")}


def index(registry: Registry) -> dict[str, Any]:
    """`/openapi/v3`: where each group version's document is; the hash changes with it."""
    paths = {}
    for group, versions in registry.groups().items():
        for version in versions:
            path = f"apis/{group}/{version}" if group else f"api/{version}"
            mark = hashlib.sha256(f"{path} {registry.changes}".encode()).hexdigest()[:32].upper()
            paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={mark}"}
    return {"paths": paths}


def second(accept: str) -> Response:
    """`/openapi/v2`, in protobuf (gnostic's openapi.v2.Document) for who asks for it."""
    if "protobuf" not in accept:
        return json_value({"swagger": "2.0", "info": {"title": TITLE, "version": VERSION}, "paths": {}})
    info = _text(1, TITLE) + _text(2, VERSION)
    body = _text(1, "2.0") + bytes([2 << 3 | 2, len(info)]) + info + bytes([8 << 3 | 2, 0])
    return Response(body, media_type="application/com.github.proto-openapi.spec.v2.v1.0+protobuf")


def _text(field: int, text: str) -> bytes:
    return bytes([field << 3 | 2, len(text)]) + text.encode()


def document(registry: Registry, path: str) -> dict[str, Any]:
    """`/openapi/v3/apis/GROUP/VERSION`. Raises 404."""
    root, _, rest = path.partition("/")
    group, _, version = rest.rpartition("/")
    resources = registry.of_version(group, version)
    if not resources or (root == "api") != (group == ""):
        raise no_such_path()
    return {
        "openapi": "3.0.0",
        "info": {"title": TITLE, "version": VERSION},
        "paths": {name: item for resource in resources for name, item in _paths(resource)},
        "components": {"schemas": _schemas(resources, ALSO.get(group, ()))},
    }


def _schemas(resources: Iterable[Resource], more: Iterable[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for resource in resources:
        kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
        schema = _custom_schema(resource.schema) if resource.custom else resource.schema
        found[resource.schema_name] = {**schema, KIND: [kind]}
        _add_referred(schema, found)
    for name in more:
        _add_referred({"$ref": REFERENCE + name}, found)
    return {name: _without_odd_references(schema) for name, schema in found.items()}


def _custom_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    common = builtin_definitions()["io.k8s.api.core.v1.ConfigMap"]["properties"]
    own = schema.get("properties", {})
    shared = {name: common[name] for name in ("apiVersion", "kind", "metadata")}
    return {**schema, "type": "object", "properties": {**own, **shared}}


def _add_referred(schema: Any, found: dict[str, Any]) -> None:
    for name in _references(schema):
        if name not in found:
            found[name] = builtin_definitions()[name]
            _add_referred(found[name], found)


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference.startswith(REFERENCE):
            yield reference.removeprefix(REFERENCE)
        for inner in schema.values():
            yield from _references(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _references(inner)


def _without_odd_references(schema: Any) -> Any:
    """A `$ref` may have no siblings (OpenAPI 3.0): with a description it stands in an `allOf`, as really."""
    if isinstance(schema, list):
        return [_without_odd_references(inner) for inner in schema]
    if not isinstance(schema, Mapping):
        return schema
    made = {name: _without_odd_references(inner) for name, inner in schema.items()}
    reference = made.get("$ref")
    if isinstance(reference, str) and len(made) > 1:
        del made["$ref"]
        made["allOf"] = [{"$ref": reference}]
    return made


def _paths(resource: Resource) -> Iterator[tuple[str, dict[str, Any]]]:
    root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    place = f"{root}/namespaces/{{namespace}}" if resource.namespaced else root
    yield f"{place}/{resource.plural}", _operations(resource, {"get": "list", "post": "post"})
    verbs = {"get": "get", "put": "put", "patch": "patch", "delete": "delete"}
    yield f"{place}/{resource.plural}/{{name}}", _operations(resource, verbs)


def _operations(resource: Resource, verbs: Mapping[str, str]) -> dict[str, Any]:
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    return {
        method: {
            "operationId": f"{action}{resource.kind}",
            "parameters": [_query(name) for name in QUERIES] if method != "get" else [],
            "responses": {"200": _response(resource)},
            "x-kubernetes-action": action,
            KIND: kind,
        }
        for method, action in verbs.items()
    }


def _query(name: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}


def _response(resource: Resource) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": REFERENCE + resource.schema_name}}}
    return {"description": "OK", "content": content}
