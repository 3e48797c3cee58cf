"""Responses: bytes of JSON, `Status` for refusals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from starlette.responses import Response

from bgplab.backends.embedded.kube.errors import ApiError
from bgplab.backends.embedded.kube.resources import Resource, as_version
from bgplab.backends.embedded.kube.store.item import Item, encode

JSON = "application/json"


def json_bytes(body: bytes, code: int = 200, warnings: Iterable[str] = ()) -> Response:
    response = Response(body, code, media_type=JSON)
    for warning in warnings:
        quoted = warning.replace("\\", "\\\\").replace('"', '\\"')
        response.headers.append("Warning", f'299 - "{quoted}"')
    return response


def json_value(value: Any, code: int = 200, warnings: Iterable[str] = ()) -> Response:
    return json_bytes(encode(value), code, warnings)


def refusal(error: ApiError) -> Response:
    response = json_value(error.status(), error.code)
    if error.code == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if "retryAfterSeconds" in error.details:
        response.headers["Retry-After"] = str(error.details["retryAfterSeconds"])
    return response


def item_bytes(resource: Resource, item: Item) -> bytes:
    if item.value["apiVersion"] == resource.api_version:
        return item.encoded
    return encode(as_version(resource, item.value))


def list_bytes(resource: Resource, items: Iterable[Item], metadata: Mapping[str, Any]) -> bytes:
    head = f'{{"kind":"{resource.list_kind}","apiVersion":"{resource.api_version}","metadata":'
    return (
        head.encode()
        + encode(metadata)
        + b',"items":['
        + b",".join(item_bytes(resource, item) for item in items)
        + b"]}"
    )
