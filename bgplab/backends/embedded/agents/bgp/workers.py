"""Threads that all BGP agents of a cluster share: a hundred nodes need no hundred threads.

Everything of one node is done by the same thread, one thing after another.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Hashable

from bgplab.backends.embedded.controllers.runtime import Informers, Worker
from bgplab.lab.cluster import (
    BGP_ADVERTISEMENT,
    BGP_NODE_CONFIG,
    BGP_PEER_CONFIG,
    CILIUM_NODE,
    ENDPOINT_SLICE,
    SECRET,
    SERVICE,
)

KINDS = (BGP_NODE_CONFIG, BGP_PEER_CONFIG, BGP_ADVERTISEMENT, CILIUM_NODE, SERVICE, ENDPOINT_SLICE, SECRET)
THREADS = 4

Handler = Callable[[str], None]


class BgpWorkers:
    """Queues by node name. A key is (node, what): the node's handler is called with `what`."""

    def __init__(self, informers: Informers, stop: threading.Event, threads: int = THREADS) -> None:
        needs = [informers.of(kind) for kind in KINDS]
        self._handlers: dict[str, Handler] = {}
        self._workers = [Worker(f"bgp-{number}", self._handle, stop, needs) for number in range(threads)]

    def register(self, node_name: str, handler: Handler) -> None:
        self._handlers[node_name] = handler

    def enqueue(self, node_name: str, what: str, seconds: float = 0.0) -> None:
        worker = self._workers[zlib.crc32(node_name.encode()) % len(self._workers)]
        worker.enqueue_after((node_name, what), seconds)

    def _handle(self, key: Hashable) -> None:
        assert isinstance(key, tuple)
        node_name, what = key
        self._handlers[node_name](what)
