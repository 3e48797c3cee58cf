"""A node that is not ready is tainted with node.kubernetes.io/not-ready, and freed when it is (node lifecycle).

Only the effect NoSchedule is put, which keeps new pods away. Those that run stay, where a real cluster would evict them
after five minutes; a NoExecute taint that somebody sets does evict (`taint_evictions`).
"""

from __future__ import annotations

import threading
from typing import Any

from bgplab.backends.embedded.controllers.conditions import find
from bgplab.backends.embedded.controllers.runtime import Informers, Key, Worker, key_of
from bgplab.backends.embedded.controllers.scheduling import NOT_READY
from bgplab.lab.cluster import NODE, Cluster, Manifest


class NodeTaints:
    """Leaves every other taint alone."""

    def __init__(self, cluster: Cluster, informers: Informers, stop: threading.Event) -> None:
        self._cluster, self._nodes = cluster, informers.of(NODE)
        self._worker = Worker("node-taints", self._reconcile, stop, needs=(self._nodes,))
        self._nodes.subscribe(self._changed)

    def _changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if new is not None and wanted_taints(new) is not None:
            self._worker.enqueue(key_of(new))

    def _reconcile(self, key: Key) -> None:
        node = self._nodes.get(key[1])
        taints = wanted_taints(node) if node else None
        if node is not None and taints is not None:
            revision = node["metadata"]["resourceVersion"]  # somebody may change other taints at the same time
            patch = {"metadata": {"resourceVersion": revision}, "spec": {"taints": taints or None}}
            self._nodes.learn(self._cluster.patch(NODE, key[1], patch))


def wanted_taints(node: Manifest) -> list[dict[str, Any]] | None:
    """The taints a node should have by its Ready condition; None when it has them. A node without one is let be."""
    there: list[dict[str, Any]] = (node.get("spec") or {}).get("taints") or []
    ready = find((node.get("status") or {}).get("conditions"), "Ready")
    if ready is None:
        return None
    others = [taint for taint in there if taint["key"] != NOT_READY["key"]]
    tainted = len(others) != len(there)
    if (ready["status"] != "True") == tainted:
        return None
    return others if tainted else [*others, dict(NOT_READY)]
