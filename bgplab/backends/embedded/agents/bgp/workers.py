"""Threads that all BGP agents of a cluster share, and the one place where they hear of changes.

A hundred nodes need no hundred threads. Everything of one node is done by the same thread, one thing after another.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Hashable
from functools import partial

from bgplab.backends.embedded.agents.bgp.concerns import EVERYBODY, concerned_nodes
from bgplab.backends.embedded.controllers.runtime import Informers, Worker
from bgplab.lab.cluster import (
    BGP_ADVERTISEMENT,
    BGP_NODE_CONFIG,
    BGP_PEER_CONFIG,
    CILIUM_NODE,
    ENDPOINT_SLICE,
    SECRET,
    SERVICE,
    Kind,
    Manifest,
)

KINDS = (BGP_NODE_CONFIG, BGP_PEER_CONFIG, BGP_ADVERTISEMENT, CILIUM_NODE, SERVICE, ENDPOINT_SLICE, SECRET)
THREADS = 4
SECRETS_NAMESPACE = "kube-system"

#: What there is to do for a node.
CONFIGURATION, SESSIONS, STATUS = "configuration", "sessions", "status"

Handler = Callable[[str], None]


class BgpWorkers:
    """Queues by node name. A key is (node, what): the node's handler is called with `what`.

    A change of what a node's BGP depends on (`concerns.py`) is CONFIGURATION for that node.
    secrets_namespace: the cilium-config's `bgp-secrets-namespace`.
    """

    def __init__(
        self,
        informers: Informers,
        stop: threading.Event,
        threads: int = THREADS,
        secrets_namespace: str = SECRETS_NAMESPACE,
    ) -> None:
        self.secrets_namespace = secrets_namespace
        self._node_configs = informers.of(BGP_NODE_CONFIG)
        self._handlers: dict[str, Handler] = {}
        needs = [informers.of(kind) for kind in KINDS]
        self._workers = [Worker(f"bgp-{number}", self._handle, stop, needs) for number in range(threads)]
        for kind in KINDS:
            informers.of(kind).subscribe(partial(self._changed, kind))

    def register(self, node_name: str, handler: Handler) -> None:
        """Call `handler` from now on; what there was before is for the caller to look at."""
        self._handlers[node_name] = handler

    def enqueue(self, node_name: str, what: str, seconds: float = 0.0) -> None:
        worker = self._workers[zlib.crc32(node_name.encode()) % len(self._workers)]
        worker.enqueue_after((node_name, what), seconds)

    def _changed(self, kind: Kind, old: Manifest | None, new: Manifest | None) -> None:
        if kind == SECRET and (new or old or {})["metadata"].get("namespace") != self.secrets_namespace:
            return
        names = concerned_nodes(kind, old, new)
        if names is EVERYBODY:
            names = frozenset(manifest["metadata"]["name"] for manifest in self._node_configs.list())
        for name in names:
            if name in self._handlers:
                self.enqueue(name, CONFIGURATION)

    def _handle(self, key: Hashable) -> None:
        assert isinstance(key, tuple)
        node_name, what = key
        self._handlers[node_name](what)
