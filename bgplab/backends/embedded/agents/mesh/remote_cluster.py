"""One agent's client of one remote cluster: a thread that follows its etcd, and one that doubts it now and then.

What was heard stays when the connection is lost, as in Cilium 1.17/1.18; it goes with the cluster's entry only.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from bgplab.backends.embedded.agents.mesh import keys
from bgplab.backends.embedded.agents.mesh.cluster_ids import ClusterIds
from bgplab.backends.embedded.agents.mesh.etcd_client import Dial, EtcdClient
from bgplab.backends.embedded.agents.mesh.etcd_messages import EtcdError, WatchAnswer
from bgplab.backends.embedded.agents.mesh.remote_store import RemoteNode, RemoteService, RemoteStore
from bgplab.backends.embedded.agents.mesh.status import WAITING, RemoteStatus
from bgplab.backends.embedded.agents.mesh.timers import CILIUM, MeshTimers

log = logging.getLogger(__name__)

NO_CONFIG = "remote cluster configuration required but not found"
SILENT = "not able to connect to any etcd endpoints"
NEW_ETCD = "etcd cluster ID has changed"


@dataclass(frozen=True, slots=True)
class Heard:
    """What is known of the remote cluster."""

    nodes: tuple[RemoteNode, ...] = ()
    services: tuple[RemoteService, ...] = ()


class RemoteCluster:
    """Follows one remote cluster's etcd until `close`.

    dial: opens a connection to it; raises OSError. changed: called, from this cluster's thread, when `heard` is new.
    store: what was heard before, of an agent that ran before this one.
    """

    def __init__(
        self,
        name: str,
        dial: Dial,
        ids: ClusterIds,
        changed: Callable[[], None],
        store: RemoteStore | None = None,
        timers: MeshTimers = CILIUM,
    ) -> None:
        self.name = name
        self.store = store or RemoteStore(name)
        self.heard = Heard(self.store.nodes(), self.store.services())
        self._dial, self._ids, self._changed, self._timers = dial, ids, changed, timers
        self._pauses: Iterator[float] = iter(())
        self._stop, self._again = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._known = RemoteStatus(name)
        self._client: EtcdClient | None = None
        self._etcd_id: int | None = None
        self._connected = False
        self._text = WAITING
        self._failures = 0
        self._last_failure: datetime | None = None
        self._heartbeat = time.monotonic()
        self._threads = [
            threading.Thread(target=self._follow, name=f"mesh-{name}", daemon=True),
            threading.Thread(target=self._doubt, name=f"mesh-{name}-check", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def status(self) -> RemoteStatus:
        with self._lock:
            return replace(
                self._known,
                connected=self._connected,
                text=self._text,
                failures=self._failures,
                last_failure=self._last_failure,
            )

    def close(self) -> None:
        """End the connection. What was heard can still be read."""
        self._stop.set()
        self._interrupt()
        self._ids.release(self.name)

    def join(self, timeout: float) -> None:
        for thread in self._threads:
            thread.join(timeout)

    def _follow(self) -> None:
        self._pauses = self._timers.pauses(random.Random())
        while not self._stop.is_set():
            try:
                self._session()
            except EtcdError as fault:
                if self._stop.is_set():
                    return
                log.info("remote cluster %s: %s", self.name, fault)
                self._lost(str(fault))
            self._again.wait(next(self._pauses))
            self._again.clear()

    def _session(self) -> None:
        """One connection from its opening to its end. Ends by EtcdError, or to begin anew."""
        client = EtcdClient(self._dial)
        with self._lock:
            self._client = client
        try:
            listing = client.listing(keys.EVERYTHING)
            if self._etcd_id not in (None, listing.cluster_id):
                self._give_up(NEW_ETCD)
            self._etcd_id = listing.cluster_id
            if keys.cluster_config_key(self.name) not in listing.values:
                self._await_config(client, listing.revision)
                return
            self.store.relist(listing.values)
            self._check_config()
            self._connection_stands()
            self._publish()
            for answer in self._answers(client, listing.revision):
                if self.store.apply(answer.changes):
                    self._check_config()
                    self._publish()
        finally:
            with self._lock:
                self._client = None
            client.close()

    def _await_config(self, client: EtcdClient, revision: int) -> None:
        """An etcd that is not this cluster's, or not filled yet: nothing in it is believed until its word is there."""
        with self._lock:
            self._known = replace(self._known, config=None)
        self._text = NO_CONFIG
        self._connection_stands()
        wanted = keys.cluster_config_key(self.name)
        for answer in self._answers(client, revision):
            if any(change.key == wanted for change in answer.changes):
                return

    def _answers(self, client: EtcdClient, revision: int) -> Iterator[WatchAnswer]:
        """What happens after a listing at `revision`; heartbeats are noted."""
        for answer in client.watch(keys.EVERYTHING, revision + 1):
            if answer.compacted:
                raise EtcdError("the watched revision has been compacted")
            if any(change.key == keys.HEARTBEAT for change in answer.changes):
                self._heartbeat = time.monotonic()
            yield answer

    def _connection_stands(self) -> None:
        # the first attempt after a loss comes at once
        self._pauses = _then(0.0, self._timers.pauses(random.Random()))
        self._heartbeat = time.monotonic()
        self._connected = True

    def _check_config(self) -> None:
        """Whether the other side is one to listen to. Raises EtcdError; then nothing of it is kept."""
        config = self.store.config()
        if config is None:
            raise EtcdError(NO_CONFIG)
        try:
            self._ids.reserve(self.name, config)
        except EtcdError:
            self.store.clear()
            self._connected = False
            self.heard = Heard()
            self._changed()
            raise
        self._text = (
            "etcd: 1/1 connected, leases=0, lock leases=0, has-quorum=true:"
            f" endpoint status checks are disabled, ID: {self._etcd_id or 0:x}"
        )

    def _lost(self, why: str) -> None:
        """A connection ended or could not be made. Whoever was connected counts as it until it has been silent."""
        if not self._connected:
            waiting = self._text.startswith(WAITING)
            self._text = f"{WAITING}: {why}" if waiting else f"{SILENT}: {why}"

    def _give_up(self, why: str) -> None:
        """Count a failure of a connection that stood."""
        self._failures += 1
        self._last_failure = datetime.now(UTC)
        self._connected = False
        self._text = why

    def _doubt(self) -> None:
        while not self._stop.wait(self._timers.check_healthy if self._connected else self._timers.check_unhealthy):
            if self._connected and time.monotonic() - self._heartbeat > self._timers.silence:
                self._give_up(SILENT)
                # Cilium makes a new etcd client then, which knows of no etcd before
                self._etcd_id, self._pauses = None, _then(0.0, self._timers.pauses(random.Random()))
                self._interrupt()

    def _interrupt(self) -> None:
        """Have the thread that follows begin anew at once, whatever it waits for."""
        with self._lock:
            client = self._client
        if client is not None:
            client.interrupt()
        self._again.set()

    def _publish(self) -> None:
        """Show what the store has: by the thread that fills it alone."""
        store, config = self.store, self.store.config()
        with self._lock:
            self._known = RemoteStatus(
                name=self.name,
                config=config,
                synced={name: store.is_synced(state) for name, state in keys.STATES.items()},
                counts={name: store.count(state) for name, state in keys.STATES.items()},
            )
        self.heard = Heard(store.nodes(), store.services())
        self._changed()


def _then(first: float, rest: Iterator[float]) -> Iterator[float]:
    yield first
    yield from rest
