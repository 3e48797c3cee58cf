"""Events as `kubectl describe` shows them.

A thread of their own writes them, a moment later: while pods come up the API server has better things to do.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Hashable
from dataclasses import dataclass

from bgplab.backends.embedded.controllers.conditions import now
from bgplab.backends.embedded.controllers.runtime import Worker
from bgplab.lab.cluster import ApiError, Cluster, Manifest

DELAY_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Note:
    """One event, before it is written."""

    component: str
    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str
    type: str
    reason: str
    message: str


class Recorder:
    """Writes events. What was said of an object already is not repeated (a real cluster would count it)."""

    def __init__(self, cluster: Cluster, stop: threading.Event) -> None:
        self._cluster = cluster
        self._said: set[Note] = set()
        self._numbers = itertools.count(time.time_ns())
        self._worker = Worker("events", self._write, stop)

    def normal(self, component: str, about: Manifest, reason: str, message: str) -> None:
        self._note(component, about, "Normal", reason, message)

    def warning(self, component: str, about: Manifest, reason: str, message: str) -> None:
        self._note(component, about, "Warning", reason, message)

    def _note(self, component: str, about: Manifest, level: str, reason: str, message: str) -> None:
        metadata = about["metadata"]
        note = Note(
            component,
            about["apiVersion"],
            about["kind"],
            metadata.get("namespace", "default"),
            metadata["name"],
            metadata.get("uid", ""),
            level,
            reason,
            message,
        )
        if note not in self._said:
            self._said.add(note)
            self._worker.enqueue_after(note, DELAY_SECONDS)

    def _write(self, note: Hashable) -> None:
        assert isinstance(note, Note)
        moment = now()
        try:
            self._cluster.create(
                {
                    "apiVersion": "v1",
                    "kind": "Event",
                    "metadata": {"name": f"{note.name}.{next(self._numbers):x}", "namespace": note.namespace},
                    "involvedObject": {
                        "apiVersion": note.api_version,
                        "kind": note.kind,
                        "namespace": note.namespace,
                        "name": note.name,
                        "uid": note.uid,
                    },
                    "type": note.type,
                    "reason": note.reason,
                    "message": note.message,
                    "source": {"component": note.component},
                    "reportingComponent": note.component,
                    "count": 1,
                    "firstTimestamp": moment,
                    "lastTimestamp": moment,
                }
            )
        except ApiError as refusal:
            if refusal.code not in (403, 404):  # the namespace is gone or going, and its events with it
                raise
