"""What the client can read, and what it sends."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import Any

from bgplab.backends.embedded.kube.errors import bad_request, not_acceptable, unsupported_media_type
from bgplab.backends.embedded.kube.http import protobuf

READABLE = ("application/json", "application/yaml")
OFFERED = "application/json"
DEEPEST = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which form of an object the answer takes; JSON always."""

    table: bool = False


@dataclass(frozen=True, slots=True)
class MediaType:
    name: str
    parameters: dict[str, str]


def media_types(accept: str) -> list[MediaType]:
    found = []
    for part in accept.split(","):
        name, *parameters = [piece.strip() for piece in part.split(";")]
        if name:
            found.append(MediaType(name, dict(_pair(parameter) for parameter in parameters)))
    return found


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def wanted_form(accept: str) -> Wanted:
    """The first of the client's wishes that can be granted. Raises 406 when there is none."""
    for media in media_types(accept) or [MediaType("*/*", {})]:
        if media.name not in ("application/json", "application/*", "*/*"):
            continue
        form = media.parameters.get("as", "")
        if form == "Table" and media.parameters.get("v") == "v1":
            return Wanted(table=True)
        if not form:
            return Wanted()
    raise not_acceptable(OFFERED)


def wants_aggregated(accept: str) -> bool:
    """Does the client prefer aggregated discovery v2 to the classic documents?"""
    for media in media_types(accept):
        if media.name == "application/json":
            aggregated = media.parameters.get("g") == "apidiscovery.k8s.io"
            if not aggregated:
                return False
            if media.parameters.get("v") == "v2" and media.parameters.get("as") == "APIGroupDiscoveryList":
                return True
    return False


def parsed_body(content_type: str, body: bytes) -> Any:
    """The body as data. Raises 415 for what is not read (see protobuf.py), 400 for what does not parse."""
    name = content_type.split(";")[0].strip()
    if name == protobuf.MEDIA_TYPE:
        return protobuf.parsed_protobuf(body)
    if name not in ("", "*/*", *READABLE):
        raise unsupported_media_type(", ".join(READABLE))
    return parsed_yaml(body) if name == "application/yaml" else parsed_json(body)


def parsed_json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as fault:
        raise bad_request(f"the object provided is unrecognized (must be of type JSON): {fault}") from fault


def parsed_yaml(body: bytes) -> Any:
    """JSON is YAML, and much faster to read. What YAML takes for a time is a text, as for the real server."""
    with contextlib.suppress(ValueError, RecursionError):
        return json.loads(body)
    import yaml

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers = {
            first: [(tag, pattern) for tag, pattern in known if tag != "tag:yaml.org,2002:timestamp"]
            for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

    try:
        return _json_alike(yaml.load(body, Loader), DEEPEST)
    except (yaml.YAMLError, RecursionError, ValueError) as fault:
        raise bad_request(f"error parsing YAML: {fault}") from fault


def _json_alike(value: Any, depth: int) -> Any:
    """The value if it could have been JSON; keys become texts. Raises ValueError."""
    if depth == 0:
        raise ValueError("exceeded max depth")
    if isinstance(value, dict):
        return {_key(key): _json_alike(inner, depth - 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [_json_alike(inner, depth - 1) for inner in value]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise ValueError(f"a {type(value).__name__} is not JSON")


def _key(key: Any) -> str:
    if isinstance(key, str):
        return key
    if key is None or isinstance(key, bool | int | float):
        return json.dumps(key)
    raise ValueError(f"{key!r} is no key")
