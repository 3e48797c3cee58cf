"""One watch: which events it sees and as what. It owns a queue, no socket."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from bgplab.backends.embedded.kube.store.item import Change, Event, Item, Value
from bgplab.backends.embedded.kube.store.store import Store

Selects = Callable[[Value], bool]

# A reader that falls so far behind is cut off and starts over, as the real server does.
LONGEST_QUEUE = 10_000


@dataclass(frozen=True, slots=True)
class Sight:
    """An event as one watch sees it: an object that enters its selection is ADDED, one that leaves DELETED."""

    change: Change
    item: Item


def sight_of(event: Event, selects: Selects) -> Sight | None:
    now = event.change is not Change.DELETED and selects(event.item.value)
    before = event.previous is not None and selects(event.previous.value)
    if now:
        return Sight(Change.MODIFIED if before else Change.ADDED, event.item)
    if not before or event.previous is None:
        return None
    if event.change is Change.DELETED:
        return Sight(Change.DELETED, event.item)
    return Sight(Change.DELETED, _at(event.previous, event.revision))


def _at(item: Item, revision: int) -> Item:
    metadata = {**item.value["metadata"], "resourceVersion": str(revision)}
    return Item({**item.value, "metadata": metadata}, revision)


class Watch:
    """A subscription to one resource: what was missed since `revision`, then what happens.

    revision None or 0: the present objects first, as ADDED. Raises 410 when the past is forgotten.
    """

    def __init__(self, store: Store, resource: str, namespace: str, selects: Selects, revision: int | None) -> None:
        self._selects = selects
        self._queue: asyncio.Queue[Sight | None] = asyncio.Queue()
        if revision:
            for event in store.since(resource, revision):
                self._hear(event)
        else:
            for item in store.select(resource, namespace):
                if selects(item.value):
                    self._queue.put_nowait(Sight(Change.ADDED, item))
        self._stop = store.listen(resource, self._hear)

    def _hear(self, event: Event | None) -> None:
        if event is None:
            self.close()
            return
        sight = sight_of(event, self._selects)
        if sight is None:
            return
        if self._queue.qsize() >= LONGEST_QUEUE:
            self.close()
        else:
            self._queue.put_nowait(sight)

    async def next(self, seconds: float) -> list[Sight] | None:
        """All sights there are, at least one unless `seconds` pass; None when the watch was closed."""
        try:
            first = await asyncio.wait_for(self._queue.get(), seconds)
        except TimeoutError:
            return []
        found = [first]
        while not self._queue.empty():
            found.append(self._queue.get_nowait())
        return None if None in found else [sight for sight in found if sight is not None]

    def close(self) -> None:
        """Harmless when repeated."""
        with contextlib.suppress(ValueError):
            self._stop()
        self._queue.put_nowait(None)
