"""A container's environment: literals, fields of its pod, keys of ConfigMaps and Secrets, one naming another."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address
from typing import Any

from bgplab.backends.embedded.agents.kubelet.volumes import Read, texts_of
from bgplab.backends.embedded.agents.programs.images import expanded
from bgplab.errors import LabError
from bgplab.lab.cluster import CONFIG_MAP, SECRET, Kind, Manifest

_KEYED = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")
FIELDS = frozenset(
    {
        "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
        "status.hostIP", "status.podIP", "status.podIPs",
    }
)  # fmt: skip


class ConfigNotReady(LabError):
    """An object that a container's environment names is not there, or lacks a key. The text is kubelet's."""


def is_field(path: str) -> bool:
    """A field that a variable can name here."""
    return path in FIELDS or _KEYED.fullmatch(path) is not None


def referred(container: Mapping[str, Any], read: Read) -> dict[str, str]:
    """Variables that come from ConfigMaps and Secrets. Raises ConfigNotReady."""
    found: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        found |= {f"{source.get('prefix', '')}{key}": text for key, text in _whole(source, read)}
    for one in container.get("env") or ():
        for kind, field in ((CONFIG_MAP, "configMapKeyRef"), (SECRET, "secretKeyRef")):
            reference = (one.get("valueFrom") or {}).get(field)
            text = _keyed(kind, reference, read) if reference else None
            if text is not None:
                found[one["name"]] = text
    return found


def environment_of(
    pod: Manifest, container: Mapping[str, Any], address: IPv4Address, host: IPv4Address, others: Mapping[str, str]
) -> dict[str, str]:
    """Everything a container finds set. others: what `referred` found.

    `$(NAME)` in a literal is replaced by a variable that stands before it, as kubelet does it.
    """
    own = {one["name"] for one in container.get("env") or ()}
    environment = {"HOSTNAME": pod["metadata"]["name"]} | {k: v for k, v in others.items() if k not in own}
    for one in container.get("env") or ():
        name, path = one["name"], ((one.get("valueFrom") or {}).get("fieldRef") or {}).get("fieldPath")
        if path and is_field(path):
            environment[name] = _field(pod, path, address, host)
        elif "valueFrom" not in one:
            environment[name] = expanded(one.get("value", ""), environment)
        elif name in others:
            environment[name] = others[name]
    return environment


def _field(pod: Manifest, path: str, address: IPv4Address, host: IPv4Address) -> str:
    if keyed := _KEYED.fullmatch(path):
        return str((pod["metadata"].get(keyed[1]) or {}).get(keyed[2], ""))
    known = {"status.hostIP": str(host), "status.podIP": str(address), "status.podIPs": str(address)}
    if path in known:
        return known[path]
    part, name = path.split(".")
    return str(pod[part].get(name, ""))


def _whole(source: Mapping[str, Any], read: Read) -> Iterator[tuple[str, str]]:
    for kind, field in ((CONFIG_MAP, "configMapRef"), (SECRET, "secretRef")):
        if reference := source.get(field):
            manifest = _object(kind, reference, read)
            yield from texts_of(kind, manifest).items() if manifest else ()


def _keyed(kind: Kind, reference: Mapping[str, Any], read: Read) -> str | None:
    manifest = _object(kind, reference, read)
    if manifest is None:
        return None
    text = texts_of(kind, manifest).get(reference["key"])
    if text is None and not reference.get("optional"):
        where = f"{manifest['metadata'].get('namespace', '')}/{reference['name']}"
        raise ConfigNotReady(f"couldn't find key {reference['key']} in {kind.kind} {where}")
    return text


def _object(kind: Kind, reference: Mapping[str, Any], read: Read) -> Manifest | None:
    manifest = read(kind, reference["name"])
    if manifest is None and not reference.get("optional"):
        raise ConfigNotReady(f'{kind.kind.lower()} "{reference["name"]}" not found')
    return manifest
