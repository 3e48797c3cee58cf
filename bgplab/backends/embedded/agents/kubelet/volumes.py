"""A pod's volumes as files, put into its root when it is made: Secrets, ConfigMaps, projections of them, emptyDirs.

Containers of one pod share a root here, so each sees the others' mounts. A changed Secret reaches its pods at once (a
real kubelet takes up to a minute or two). Not done: later changes of ConfigMaps, subPath, modes, other types of volume.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bgplab.errors import LabError
from bgplab.lab.cluster import CONFIG_MAP, SECRET, Kind, Manifest

#: (kind, name) → the object in the pod's namespace, or None.
Read = Callable[[Kind, str], Manifest | None]


class VolumeNotReady(LabError):
    """An object that a pod mounts is not there, or lacks a key. The text is kubelet's."""


@dataclass(slots=True)
class Mounted:
    """files: path → text. directories: empty ones."""

    files: dict[str, str] = field(default_factory=dict)
    directories: list[str] = field(default_factory=list)


def mounted(pod: Manifest, read: Read) -> Mounted:
    """What a pod's containers mount. Raises VolumeNotReady."""
    volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes") or ()}
    result = Mounted()
    for container in pod["spec"]["containers"]:
        for mount in container.get("volumeMounts") or ():
            volume, at = volumes.get(mount["name"], {}), mount["mountPath"].rstrip("/")
            if "emptyDir" in volume:
                result.directories.append(at)
            for path, text in _contents(volume, read):
                result.files[f"{at}/{path}"] = text
    return result


def _contents(volume: Mapping[str, Any], read: Read) -> Iterator[tuple[str, str]]:
    sources = list((volume.get("projected") or {}).get("sources") or ())
    if "secret" in volume:
        sources.append({"secret": {**volume["secret"], "name": volume["secret"]["secretName"]}})
    if "configMap" in volume:
        sources.append({"configMap": volume["configMap"]})
    for source in sources:
        try:
            if "secret" in source:
                yield from _items(SECRET, source["secret"], read)
            elif "configMap" in source:
                yield from _items(CONFIG_MAP, source["configMap"], read)
        except VolumeNotReady as fault:
            raise VolumeNotReady(f'MountVolume.SetUp failed for volume "{volume["name"]}" : {fault}') from fault


def _items(kind: Kind, source: Mapping[str, Any], read: Read) -> Iterator[tuple[str, str]]:
    name, optional = source["name"], bool(source.get("optional"))
    manifest = read(kind, name)
    if manifest is None:
        if optional:
            return
        raise VolumeNotReady(f'{kind.kind.lower()} "{name}" not found')
    texts = texts_of(kind, manifest)
    for item in source.get("items") or ({"key": key, "path": key} for key in texts):
        if item["key"] in texts:
            yield item["path"], texts[item["key"]]
        elif not optional:
            raise VolumeNotReady(f"references non-existent {kind.kind.lower()} key: {item['key']}")


def texts_of(kind: Kind, manifest: Manifest) -> dict[str, str]:
    """What a ConfigMap or Secret holds, by key."""
    data = manifest.get("data") or {}
    if kind is SECRET:
        return {key: base64.b64decode(value).decode(errors="replace") for key, value in data.items()}
    return dict(data)
