"""A cluster in memory: as much of the API as informers and the BGP agent use. Objects are literals of the tests."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Iterator
from typing import Any

from bgplab.lab.cluster import ApiError, Kind, Manifest, WatchEvent


class Stream(Iterator[WatchEvent]):
    """A generator without its `close`, which an informer would call from another thread."""

    def __init__(self, events: Iterator[WatchEvent]) -> None:
        self._events = events

    def __next__(self) -> WatchEvent:
        return next(self._events)


class MemoryCluster:
    """Objects by (kind, namespace, name), and every change ever made, for watches."""

    name = "memory"

    def __init__(self) -> None:
        self._objects: dict[tuple[str, str, str], Manifest] = {}
        self._history: list[tuple[int, str, WatchEvent]] = []
        self._changed = threading.Condition()
        self._revision = 0
        self.patches: list[tuple[float, str, Any]] = []

    def put(self, manifest: Manifest) -> Manifest:
        """Create or replace."""
        manifest = copy.deepcopy(manifest)
        metadata = manifest["metadata"]
        key = (manifest["kind"], metadata.get("namespace", ""), metadata["name"])
        with self._changed:
            there = self._objects.get(key)
            metadata["uid"] = there["metadata"]["uid"] if there else f"uid-{self._revision}"
            self._record("MODIFIED" if there else "ADDED", key, manifest)
        return manifest

    def remove(self, kind: str, name: str, namespace: str = "") -> None:
        key = (kind, namespace, name)
        with self._changed:
            manifest = copy.deepcopy(self._objects[key])
            self._record("DELETED", key, manifest)
            del self._objects[key]

    def get(self, kind: Kind, name: str, namespace: str | None = None) -> Manifest | None:
        return self._objects.get((kind.kind, namespace or "", name))

    def list_page(self, kind: Kind, namespace: str | None = None, *, labels: str = "") -> Manifest:
        with self._changed:
            items = [manifest for (name, _, _), manifest in self._objects.items() if name == kind.kind]
            return {"metadata": {"resourceVersion": str(self._revision)}, "items": items}

    def watch(
        self, kind: Kind, namespace: str | None = None, *, since: str, timeout_seconds: int = 300
    ) -> Iterator[WatchEvent]:
        return Stream(self._events(kind, since))

    def _events(self, kind: Kind, since: str) -> Iterator[WatchEvent]:
        seen, end = int(since), time.monotonic() + 0.5
        while time.monotonic() < end:
            with self._changed:
                self._changed.wait_for(lambda seen=seen: self._revision > seen, timeout=end - time.monotonic())
                news = [(number, event) for number, name, event in self._history if name == kind.kind and number > seen]
                seen = self._revision
            for _, event in news:
                yield event

    def patch(
        self,
        kind: Kind,
        name: str,
        patch: Any,
        namespace: str | None = None,
        *,
        type: str = "merge",
        subresource: str | None = None,
        field_manager: str | None = None,
    ) -> Manifest:
        there = self.get(kind, name, namespace)
        if there is None:
            raise ApiError(f"PATCH {kind.plural}/{name}", 404, {"reason": "NotFound"})
        assert (type, subresource, patch[0]["path"]) == ("json", "status", "/status")
        self.patches.append((time.monotonic(), name, patch))
        return self.put({**there, "status": patch[0]["value"]})

    def _record(self, type: str, key: tuple[str, str, str], manifest: Manifest) -> None:
        self._revision += 1
        manifest["metadata"]["resourceVersion"] = str(self._revision)
        self._objects[key] = manifest
        self._history.append((self._revision, key[0], WatchEvent(type, manifest)))
        self._changed.notify_all()
