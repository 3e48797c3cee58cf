"""Which nodes can give a pod an address: those whose network plugin (CNI) has been set up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from bgplab.backends.embedded.agents.kubelet.node import condition_of
from bgplab.backends.embedded.controllers.conditions import find
from bgplab.backends.embedded.controllers.runtime import Informers, Key, Worker, key_of
from bgplab.lab.cluster import NODE, Cluster, Manifest


class NodeNetworks:
    """Thread-safe; subscribers hear the name of a node whose state changed, in the thread that changed it."""

    def __init__(self, ready: Iterable[str] = ()) -> None:
        self._ready = set(ready)
        self._lock = threading.Lock()
        self._subscribers: list[Callable[[str], None]] = []

    def is_ready(self, node: str) -> bool:
        return node in self._ready

    def set_ready(self, node: str, ready: bool) -> None:
        with self._lock:
            changed = ready != (node in self._ready)
            (self._ready.add if ready else self._ready.discard)(node)
        for subscriber in self._subscribers if changed else ():
            subscriber(node)

    def subscribe(self, callback: Callable[[str], None]) -> None:
        self._subscribers.append(callback)


class NodeConditions:
    """Writes each node's Ready condition as its network is; the taint follows from it (controllers/node_taints.py)."""

    def __init__(self, cluster: Cluster, informers: Informers, networks: NodeNetworks, stop: threading.Event) -> None:
        self._cluster, self._networks = cluster, networks
        self._nodes = informers.of(NODE)
        self._worker = Worker("node-conditions", self._reconcile, stop, needs=(self._nodes,))
        self._nodes.subscribe(self._node_changed)
        networks.subscribe(lambda name: self._worker.enqueue(("", name)))

    def _node_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if new is not None:
            self._worker.enqueue(key_of(new))

    def _reconcile(self, key: Key) -> None:
        name = key[1]
        node = self._nodes.get(name)
        if node is None:
            return
        there = find((node.get("status") or {}).get("conditions"), "Ready")
        wanted = condition_of(self._networks.is_ready(name))
        if there is None or (there["status"], there.get("reason")) != (wanted["status"], wanted["reason"]):
            patch = {"status": {"conditions": [wanted]}}
            self._nodes.learn(self._cluster.patch(NODE, name, patch, type="strategic", subresource="status"))
