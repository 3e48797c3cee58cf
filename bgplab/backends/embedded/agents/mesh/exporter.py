"""What the `apiserver` container of a clustermesh-apiserver pod does: it keeps the etcd beside it as the cluster is.

A client of the Kubernetes API on one side and of the etcd on the other; level-triggered: any change leads to a look at
all objects, and what differs from what was written is written.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from bgplab.backends.embedded.agents.mesh import export, keys
from bgplab.backends.embedded.agents.mesh.etcd_client import Dial, EtcdClient
from bgplab.backends.embedded.agents.mesh.etcd_messages import EtcdError
from bgplab.backends.embedded.agents.mesh.export import Exporting
from bgplab.backends.embedded.agents.mesh.timers import CILIUM, MeshTimers
from bgplab.backends.embedded.controllers.runtime import Informers
from bgplab.lab.cluster import CILIUM_NODE, ENDPOINT_SLICE, POD, SERVICE, Manifest

log = logging.getLogger(__name__)

KINDS = (CILIUM_NODE, SERVICE, ENDPOINT_SLICE, POD)

#: The etcd beside it may still be starting: ask often. Cilium's apiserver waits for it, too.
RETRY_SECONDS = 0.1


class Exporter:
    """Runs from its making until `close`. dial: opens a connection to the pod's own etcd; raises OSError."""

    def __init__(self, exporting: Exporting, dial: Dial, informers: Informers, timers: MeshTimers = CILIUM) -> None:
        self._exporting, self._dial, self._timers = exporting, dial, timers
        self._informers = {kind: informers.of(kind) for kind in KINDS}
        self._stop, self._woken = threading.Event(), threading.Event()
        self._client: EtcdClient | None = None
        self._written: dict[str, str | None] = {}
        self._full = threading.Event()
        for informer in self._informers.values():
            informer.subscribe(self._wake)
        self._thread = threading.Thread(target=self._run, name=f"mesh-export-{exporting.cluster}", daemon=True)
        self._thread.start()

    def wait_full(self, timeout: float) -> bool:
        """Whether a full copy of the cluster was in the etcd within `timeout` seconds."""
        return self._full.wait(timeout)

    def close(self) -> None:
        """Stop writing. The keys stay until their lease ends, as they do when a pod is killed."""
        self._stop.set()
        self._woken.set()
        client = self._client
        if client is not None:
            client.interrupt()
        self._thread.join(5.0)

    def _wake(self, old: Manifest | None, new: Manifest | None) -> None:
        self._woken.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._session()
            except EtcdError as fault:
                if not self._stop.is_set():
                    log.debug("%s: exporting stopped: %s", self._exporting.cluster, fault)
            self._stop.wait(RETRY_SECONDS)

    def _session(self) -> None:
        """One connection to the etcd, from its opening to its end."""
        self._client = client = EtcdClient(self._dial)
        try:
            # What is there hangs on a lease that ends: all of it is written anew, under one that is kept alive.
            self._written = dict.fromkeys(client.listing(keys.EVERYTHING).values)
            lease = client.grant_lease(self._timers.lease)
            beats = _every(self._timers.heartbeat)
            renewals = _every(self._timers.lease / 3)
            next(renewals)
            while not self._stop.is_set():
                self._woken.clear()
                if all(informer.synced for informer in self._informers.values()):
                    self._write(client, lease)
                if next(beats):
                    client.put(keys.HEARTBEAT, datetime.now(UTC).isoformat())
                if next(renewals):
                    client.keep_alive(lease)
                self._woken.wait(min(1.0, self._timers.heartbeat))
        finally:
            client.close()

    def _write(self, client: EtcdClient, lease: int) -> None:
        wanted = self._wanted()
        for key, moment in export.canaries(self._exporting, _now()).items():
            wanted[key] = self._written.get(key) or moment
        # state before canaries, which say that it is whole
        changed = [key for key, value in wanted.items() if self._written.get(key) != value]
        for key in changed:
            client.put(key, wanted[key], lease)
            self._written[key] = wanted[key]
        for key in [key for key in self._written if key not in wanted and key != keys.HEARTBEAT]:
            client.delete(key)
            del self._written[key]
        self._full.set()

    def _wanted(self) -> dict[str, str]:
        nodes, services, slices, pods = (self._informers[kind].list() for kind in KINDS)
        return {
            **export.cluster_config(self._exporting),
            **export.nodes(nodes, self._exporting),
            **export.services(services, slices, self._exporting),
            **export.endpoints(pods, self._exporting),
        }


def _every(seconds: float) -> Iterator[bool]:
    """True at once, and then whenever so much time has passed."""
    due = time.monotonic()
    while True:
        now = time.monotonic()
        if now >= due:
            due = now + seconds
            yield True
        else:
            yield False


def _now() -> str:
    return datetime.now(UTC).isoformat()
