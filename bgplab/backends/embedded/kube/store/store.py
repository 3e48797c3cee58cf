"""The objects, one counter of revisions, and the recent past for watches that resume. In memory; one event loop."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator

from bgplab.backends.embedded.kube.errors import expired
from bgplab.backends.embedded.kube.store.item import Change, Event, Item, Key, Value

HISTORY_EVENTS = 4096

# hears every event; None: there will be no more
Listener = Callable[[Event | None], None]


class Store:
    """Reads and writes are atomic because nothing here awaits."""

    def __init__(self, history: int = HISTORY_EVENTS) -> None:
        self._items: dict[str, dict[tuple[str, str], Item]] = {}
        self._keys: dict[str, Key] = {}
        self._history: deque[Event] = deque(maxlen=history)
        self._forgotten = 0
        self._listeners: dict[str, list[Listener]] = {}
        self.revision = 1

    def get(self, key: Key) -> Item | None:
        return self._items.get(key.resource, {}).get((key.namespace, key.name))

    def holding(self, resource: str, value: Value) -> Item | None:
        """The item whose value this very object is: what was just written, with its JSON; None when it is another."""
        metadata = value.get("metadata") or {}
        item = self._items.get(resource, {}).get((metadata.get("namespace", ""), metadata.get("name", "")))
        return item if item is not None and item.value is value else None

    def by_uid(self, uid: str) -> Key | None:
        return self._keys.get(uid)

    def select(self, resource: str, namespace: str = "") -> list[Item]:
        """Sorted by namespace and name, as etcd's keys are; namespace "" means all."""
        items = self._items.get(resource, {})
        return [items[at] for at in sorted(items) if not namespace or at[0] == namespace]

    def everything(self) -> Iterator[tuple[Key, Item]]:
        """A snapshot: the store may be written while it is walked."""
        for resource, items in list(self._items.items()):
            for (namespace, name), item in list(items.items()):
                yield Key(resource, namespace, name), item

    def put(self, key: Key, value: Value) -> Item:
        """Write a version; `metadata.resourceVersion` is set here. The caller hands `value` over."""
        previous = self.get(key)
        item = self._versioned(value)
        self._items.setdefault(key.resource, {})[(key.namespace, key.name)] = item
        self._keys[value["metadata"]["uid"]] = key
        self._tell(Event(Change.MODIFIED if previous else Change.ADDED, key, item, previous))
        return item

    def remove(self, key: Key) -> Item:
        """Take an object away; returned is its last version, at the revision of the removal."""
        previous = self._items[key.resource].pop((key.namespace, key.name))
        self._keys.pop(previous.value["metadata"]["uid"], None)
        last = self._versioned({**previous.value, "metadata": dict(previous.value["metadata"])})
        self._tell(Event(Change.DELETED, key, last, previous))
        return last

    def since(self, resource: str, revision: int) -> list[Event]:
        """Events after `revision`, oldest first. Raises 410 when the past does not reach back that far."""
        if revision < self._forgotten:
            raise expired(f"too old resource version: {revision} ({self._forgotten})")
        newer = itertools.takewhile(lambda event: event.revision > revision, reversed(self._history))
        return [event for event in newer if event.key.resource == resource][::-1]

    def at(self, resource: str, revision: int) -> list[Item]:
        """All of a resource as it was at a revision, sorted as by `select`. Raises 410 as `since` does."""
        items = dict(self._items.get(resource, {}))
        for event in reversed(self.since(resource, revision)):
            at = (event.key.namespace, event.key.name)
            if event.previous is None:
                items.pop(at, None)
            else:
                items[at] = event.previous
        return [items[at] for at in sorted(items)]

    def listen(self, resource: str, listener: Listener) -> Callable[[], None]:
        """Call `listener` with every event from now on, at once and in order; returns how to stop it."""
        listeners = self._listeners.setdefault(resource, [])
        listeners.append(listener)
        return lambda: listeners.remove(listener)

    def close_watches(self) -> None:
        """Tell every listener that nothing more will come."""
        for listeners in self._listeners.values():
            for listener in tuple(listeners):
                listener(None)

    def _versioned(self, value: Value) -> Item:
        self.revision += 1
        value["metadata"]["resourceVersion"] = str(self.revision)
        return Item(value, self.revision)

    def _tell(self, event: Event) -> None:
        if len(self._history) == self._history.maxlen:
            self._forgotten = self._history[0].revision
        self._history.append(event)
        for listener in tuple(self._listeners.get(event.key.resource, ())):
            listener(event)
