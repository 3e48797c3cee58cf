"""The few bodies that kubectl sends as protobuf (`kubectl create namespace`, `drain`), read as data.

Answers are JSON all the same: kubectl accepts both. What is not in the tables is refused, never dropped.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bgplab.backends.embedded.kube.errors import ApiError, bad_request, unsupported_media_type

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\x00"
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class WireError(ValueError):
    """Bytes that are no protobuf, or a field outside the tables."""


def varint(data: bytes, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        if at >= len(data) or shift > 63:
            raise WireError("a number is cut off")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(number, value) of every field of a message."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        kind = tag & 7
        if kind == VARINT:
            value, at = varint(data, at)
            yield tag >> 3, value
            continue
        size, at = varint(data, at) if kind == BYTES else ({FIXED64: 8, FIXED32: 4}.get(kind, len(data)), at)
        if at + size > len(data):
            raise WireError("a field is cut off")
        yield tag >> 3, data[at : at + size]
        at += size


Read = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Field:
    """pointer: a zero that is sent is meant; otherwise Go sends zeros for what is absent, too."""

    name: str
    read: Read
    repeated: bool = False
    mapped: bool = False
    pointer: bool = False


def text(value: Any) -> str:
    return value.decode()


def number(value: Any) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def blob(value: Any) -> str:
    return base64.b64encode(value).decode()


def ignored(value: Any) -> None:
    """Status and server-set times: a client's word on them counts for nothing."""


def int_or_string(value: Any) -> int | str:
    parts = dict(fields(value))
    return text(parts.get(3, b"")) if parts.get(1) else number(parts.get(2, 0))


def message(name: str) -> Read:
    return lambda value: decoded(name, value)


def decoded(name: str, data: bytes) -> dict[str, Any]:
    """A message as JSON would have it. Raises WireError for fields that are not in its table."""
    known = MESSAGES[name]
    found: dict[str, Any] = {}
    for position, raw in fields(data):
        field = known.get(position)
        if field is None:
            if raw in (0, b""):
                continue
            raise WireError(f"field {position} of {name}")
        _add(found, field, raw)
    return found


def _add(found: dict[str, Any], field: Field, raw: int | bytes) -> None:
    if field.mapped and isinstance(raw, bytes):
        entry = dict(fields(raw))
        found.setdefault(field.name, {})[text(entry.get(1, b""))] = field.read(entry.get(2, b""))
        return
    value = bool(raw) if field.read is bool else field.read(raw)
    if field.repeated:
        found.setdefault(field.name, []).append(value)
    elif field.pointer or value not in (None, "", 0, False, {}):
        found[field.name] = value


def _table(**named: Any) -> Mapping[int, Field]:
    """`name=(number, read, *flags)`."""
    return {row[0]: Field(name, row[1], **dict.fromkeys(row[2:], True)) for name, row in named.items()}


META = {"metadata": (1, message("ObjectMeta"))}
MESSAGES: Mapping[str, Mapping[int, Field]] = {
    "ObjectMeta": _table(
        name=(1, text), generateName=(2, text), namespace=(3, text), selfLink=(4, text), uid=(5, text),
        resourceVersion=(6, text), generation=(7, ignored), creationTimestamp=(8, ignored),
        labels=(11, text, "mapped"), annotations=(12, text, "mapped"), finalizers=(14, text, "repeated"),
    ),
    "Namespace": _table(**META, spec=(2, message("NamespaceSpec")), status=(3, ignored)),
    "NamespaceSpec": _table(finalizers=(1, text, "repeated")),
    "ConfigMap": _table(
        **META, data=(2, text, "mapped"), binaryData=(3, blob, "mapped"), immutable=(4, bool, "pointer"),
    ),
    "Secret": _table(
        **META, data=(2, blob, "mapped"), type=(3, text), stringData=(4, text, "mapped"),
        immutable=(5, bool, "pointer"),
    ),
    "ServiceAccount": _table(**META),
    "Deployment": _table(**META, spec=(2, message("DeploymentSpec")), status=(3, ignored)),
    "DeploymentSpec": _table(
        replicas=(1, number, "pointer"), selector=(2, message("LabelSelector")),
        template=(3, message("PodTemplateSpec")), strategy=(4, message("DeploymentStrategy")),
        minReadySeconds=(5, number),
    ),
    "DeploymentStrategy": _table(type=(1, text)),
    "LabelSelector": _table(matchLabels=(1, text, "mapped")),
    "PodTemplateSpec": _table(**META, spec=(2, message("PodSpec"))),
    "PodSpec": _table(containers=(2, message("Container"), "repeated"), restartPolicy=(3, text)),
    "Container": _table(
        name=(1, text), image=(2, text), command=(3, text, "repeated"), args=(4, text, "repeated"),
        ports=(6, message("ContainerPort"), "repeated"), resources=(8, message("ResourceRequirements")),
    ),
    "ContainerPort": _table(name=(1, text), containerPort=(3, number), protocol=(4, text)),
    "ResourceRequirements": {},
    "Service": _table(**META, spec=(2, message("ServiceSpec")), status=(3, ignored)),
    "ServiceSpec": _table(
        ports=(1, message("ServicePort"), "repeated"), selector=(2, text, "mapped"), clusterIP=(3, text),
        type=(4, text), externalName=(10, text),
    ),
    "ServicePort": _table(
        name=(1, text), protocol=(2, text), port=(3, number), targetPort=(4, int_or_string), nodePort=(5, number),
    ),
    "Eviction": _table(**META, deleteOptions=(2, message("DeleteOptions"))),
    "DeleteOptions": _table(
        gracePeriodSeconds=(1, number, "pointer"), preconditions=(2, message("Preconditions")),
        orphanDependents=(3, bool, "pointer"), propagationPolicy=(4, text), dryRun=(5, text, "repeated"),
    ),
    "SelfSubjectAccessReview": _table(**META, spec=(2, message("SelfSubjectAccessReviewSpec")), status=(3, ignored)),
    "SelfSubjectAccessReviewSpec": _table(
        resourceAttributes=(1, message("ResourceAttributes")),
        nonResourceAttributes=(2, message("NonResourceAttributes")),
    ),
    "ResourceAttributes": _table(
        namespace=(1, text), verb=(2, text), group=(3, text), version=(4, text), resource=(5, text),
        subresource=(6, text), name=(7, text),
    ),
    "NonResourceAttributes": _table(path=(1, text), verb=(2, text)),
    "SelfSubjectRulesReview": _table(**META, spec=(2, message("SelfSubjectRulesReviewSpec")), status=(3, ignored)),
    "SelfSubjectRulesReviewSpec": _table(namespace=(1, text)),
    "Preconditions": _table(uid=(1, text), resourceVersion=(2, text)),
}  # fmt: skip


def parsed_protobuf(body: bytes) -> dict[str, Any]:
    """The object in a `runtime.Unknown` envelope. Raises 415 for what is not in the tables, 400 for rubbish."""
    if not body.startswith(MAGIC):
        raise bad_request("the object provided is unrecognized: it does not begin as Kubernetes' protobuf does")
    try:
        envelope = dict(fields(body[len(MAGIC) :]))
        named = dict(fields(_bytes(envelope.get(1, b""))))
        version, kind = text(named.get(1, b"")), text(named.get(2, b""))
        if kind not in MESSAGES:
            raise WireError(f"kind {kind}")
        return {"apiVersion": version, "kind": kind, **decoded(kind, _bytes(envelope.get(2, b"")))}
    except WireError as fault:
        raise _not_read(str(fault)) from fault


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise WireError("a number where bytes are expected")
    return value


def _not_read(what: str) -> ApiError:
    return unsupported_media_type(f"application/json, application/yaml (of protobuf this server does not read {what})")
