"""What every controller stands on: shared caches fed by watches, and a worker with a deduplicating queue.

Level-triggered: an event only says which object to look at; what to do follows from what is there when it is looked at.
So events may come twice or be lost in a relist without harm.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any

from bgplab.errors import DeadlineExceeded, LabError
from bgplab.lab.cluster import ApiError, Cluster, Kind, Manifest

log = logging.getLogger(__name__)

Key = tuple[str, str]
Subscriber = Callable[[Manifest | None, Manifest | None], None]

FIRST_RELIST_SECONDS, LAST_RELIST_SECONDS = 0.05, 2.0
FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 0.01, 5.0
WORTH_A_WARNING_SECONDS = 0.1


def key_of(manifest: Manifest) -> Key:
    """(namespace, name); the namespace is "" for cluster-scoped objects."""
    metadata = manifest["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def revision_of(manifest: Manifest) -> int:
    """The resourceVersion as a number; 0 when it is none. Kubernetes lets clients compare them since 1.35."""
    revision = manifest.get("metadata", {}).get("resourceVersion", "")
    return int(revision) if revision.isdigit() else 0


def attempt_all(actions: Iterable[Callable[[], object]]) -> None:
    """Do every action, also after one has failed; then raise the first failure."""
    failures: list[LabError] = []
    for action in actions:
        try:
            action()
        except LabError as failure:
            failures.append(failure)
    if failures:
        raise failures[0]


class Informer:
    """All objects of one kind as the API server last told them, and who wants to hear of changes.

    Objects are shared between all readers: never change one, make a new dictionary.
    """

    def __init__(self, cluster: Cluster, kind: Kind, stop: threading.Event) -> None:
        self.kind = kind
        self._cluster = cluster
        self._stop = stop
        self._told: dict[Key, Manifest] = {}
        self._learned: dict[Key, Manifest] = {}
        self._revision = 0
        self._subscribers: list[Subscriber] = []
        self._lock = threading.RLock()
        self._synced = threading.Event()
        self._stream: Iterator[object] | None = None
        self._thread = threading.Thread(target=self._run, name=f"watch-{kind.plural}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def list(self) -> list[Manifest]:
        if not self._learned:
            return list(self._told.values())
        with self._lock:
            return list({**self._told, **self._learned}.values())

    def get(self, name: str, namespace: str | None = None) -> Manifest | None:
        key = (namespace or "", name)
        return self._learned.get(key) or self._told.get(key)

    def learn(self, manifest: Manifest) -> None:
        """Show a write's answer to readers before the watch brings it, so that nobody does the same work twice.

        Subscribers hear of it from the watch only.
        """
        with self._lock:
            if revision_of(manifest) > self._revision:
                self._learned[key_of(manifest)] = manifest

    def subscribe(self, callback: Subscriber) -> None:
        """Call back with (old, new) on every change: old is None for a new object, new for one that is gone.

        Existing objects are replayed at once, in the caller's thread; later calls come from the watch thread, so a
        callback must not block. One that raises is logged and stays subscribed.
        """
        with self._lock:
            self._subscribers.append(callback)
            for manifest in list(self._told.values()):
                self._call(callback, None, manifest)

    def wait_synced(self, timeout: float) -> None:
        """Wait for the first list. Raises DeadlineExceeded."""
        if not self._synced.wait(timeout):
            raise DeadlineExceeded(f"first list of {self.kind.plural}", timeout, "nothing yet")

    @property
    def synced(self) -> bool:
        return self._synced.is_set()

    def close(self) -> None:
        """End the running watch request; the thread ends when `stop` is set."""
        close = getattr(self._stream, "close", None)
        if close:
            close()

    def join(self, timeout: float) -> None:
        self._thread.join(timeout)

    def _run(self) -> None:
        pauses = _doubling(FIRST_RELIST_SECONDS, LAST_RELIST_SECONDS)
        while not self._stop.is_set():
            try:
                self._relist()
                pauses = _doubling(FIRST_RELIST_SECONDS, LAST_RELIST_SECONDS)
                while not self._stop.is_set():
                    self._follow()
            except LabError as fault:
                if isinstance(fault, ApiError) and fault.code == 410:
                    continue
                if not self._stop.is_set():
                    log.debug("%s: watch broken, listing again: %s", self.kind.plural, fault)
                self._stop.wait(next(pauses))

    def _relist(self) -> None:
        page = self._cluster.list_page(self.kind)
        present = {key_of(manifest): manifest for manifest in page["items"]}
        with self._lock:
            for key in self._told.keys() - present.keys():
                self._tell(key, None)
            for key, manifest in present.items():
                if revision_of(self._told.get(key, {})) != revision_of(manifest) or key not in self._told:
                    self._tell(key, manifest)
            self._revision = 0  # a server that was set up anew counts from the start
            self._reach(revision_of(page))
        self._synced.set()

    def _follow(self) -> None:
        """One watch request, from where the last one ended."""
        started = time.monotonic()
        stream = self._cluster.watch(self.kind, since=str(self._revision))
        self._stream = stream
        if self._stop.is_set():
            self.close()
        for event in stream:
            key = key_of(event.object)
            with self._lock:
                self._tell(key, None if event.type == "DELETED" else event.object)
                self._reach(revision_of(event.object))
        self._stream = None
        if time.monotonic() - started < FIRST_RELIST_SECONDS:  # a server that ends every watch at once
            self._stop.wait(FIRST_RELIST_SECONDS)

    def _tell(self, key: Key, new: Manifest | None) -> None:
        old = self._told.get(key)
        if new is not None:
            self._told[key] = new
        elif old is None:
            return
        else:
            del self._told[key]
        for subscriber in self._subscribers:
            self._call(subscriber, old, new)

    def _reach(self, revision: int) -> None:
        """The watch delivers in order: what was learned up to this revision it has told by now."""
        self._revision = max(self._revision, revision)
        for key in [key for key, known in self._learned.items() if revision_of(known) <= self._revision]:
            del self._learned[key]

    def _call(self, subscriber: Subscriber, old: Manifest | None, new: Manifest | None) -> None:
        try:
            subscriber(old, new)
        except Exception:
            log.exception(
                "%s %s: a subscriber failed",
                self.kind.kind,
                "/".join(key_of(new or old or {"metadata": {"name": "?"}})),
            )


class Informers:
    """One informer per kind, shared by all controllers of a cluster; started on first use."""

    def __init__(self, cluster: Cluster, stop: threading.Event) -> None:
        self._cluster = cluster
        self._stop = stop
        self._by_kind: dict[Kind, Informer] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._close_on_stop, name="watch-closer", daemon=True).start()

    def of(self, kind: Kind) -> Informer:
        with self._lock:
            if kind not in self._by_kind:
                self._by_kind[kind] = Informer(self._cluster, kind, self._stop)
                self._by_kind[kind].start()
            return self._by_kind[kind]

    def join(self, timeout: float) -> None:
        """Wait for the watch threads after `stop` was set."""
        for informer in list(self._by_kind.values()):
            informer.join(timeout)

    def _close_on_stop(self) -> None:
        self._stop.wait()
        with self._lock:
            for informer in self._by_kind.values():
                informer.close()


class Worker:
    """A thread that reconciles one key at a time; a key that is queued several times is done once.

    `reconcile` may return seconds after which to look at the key again. When it raises, the key is retried with a
    doubling pause (10 ms to 5 s). The thread starts at once, but takes no key before the informers in `needs` have
    their first list: acting on half a picture would create what is there already.
    """

    def __init__(
        self,
        name: str,
        reconcile: Callable[[Any], float | None],
        stop: threading.Event,
        needs: Sequence[Informer] = (),
    ) -> None:
        self.name = name
        self._reconcile = reconcile
        self._stop = stop
        self._needs = tuple(needs)
        self._due: dict[Hashable, float] = {}
        self._heap: list[tuple[float, int, Hashable]] = []
        self._order = itertools.count()
        self._pauses: dict[Hashable, Iterator[float]] = {}
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def enqueue(self, key: Hashable) -> None:
        self.enqueue_after(key, 0.0)

    def enqueue_after(self, key: Hashable, seconds: float) -> None:
        """Look at the key in so many seconds, or sooner when it is due sooner already."""
        due = time.monotonic() + seconds
        with self._changed:
            if self._due.get(key, float("inf")) <= due:
                return
            self._due[key] = due
            heapq.heappush(self._heap, (due, next(self._order), key))
            self._changed.notify()

    def _run(self) -> None:
        while not self._stop.is_set() and not all(informer.synced for informer in self._needs):
            self._await_needs()
        while not self._stop.is_set():
            key = self._take()
            if key is not None:
                self._handle(key)

    def _await_needs(self) -> None:
        for informer in self._needs:
            try:
                informer.wait_synced(0.5)
            except DeadlineExceeded:
                return  # time to look at `stop`

    def _take(self) -> Hashable | None:
        """The next key that is due; None now and then, for a look at `stop`."""
        with self._changed:
            now = time.monotonic()
            while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
                heapq.heappop(self._heap)  # was moved to an earlier time
            if self._heap and self._heap[0][0] <= now:
                _, _, key = heapq.heappop(self._heap)
                del self._due[key]
                return key
            self._changed.wait(min(0.5, self._heap[0][0] - now) if self._heap else 0.5)
            return None

    def _handle(self, key: Hashable) -> None:
        try:
            again = self._reconcile(key)
        except Exception as fault:
            if self._stop.is_set():
                return
            pause = next(self._pauses.setdefault(key, _doubling(FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS)))
            self._report(key, fault, pause)
            self.enqueue_after(key, pause)
            return
        self._pauses.pop(key, None)
        if again is not None:
            self.enqueue_after(key, again)

    def _report(self, key: Hashable, fault: Exception, pause: float) -> None:
        name = "/".join(part for part in key if part) if isinstance(key, tuple) else str(key)
        if isinstance(fault, ApiError) and fault.code in (404, 409) and pause < WORTH_A_WARNING_SECONDS:
            log.debug("%s: %s: gone or changed meanwhile, again in %.2f s", self.name, name, pause)
        elif isinstance(fault, LabError):
            log.warning("%s: %s: %s; again in %.2f s", self.name, name, fault, pause)
        else:
            log.exception("%s: %s: again in %.2f s", self.name, name, pause)


def _doubling(first: float, last: float) -> Iterator[float]:
    pause = first
    while True:
        yield pause
        pause = min(last, 2 * pause)
