"""Do the same on several hosts at once. Results keep the order of the items; the first fault is raised."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Key = TypeVar("Key")

MOST_AT_ONCE = 16


def side_by_side(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """`[work(item) for item in items]`, at once. Raises what the first failing item raised, when all have ended."""
    todo = list(items)
    if len(todo) < 2:
        return [work(item) for item in todo]
    with ThreadPoolExecutor(min(MOST_AT_ONCE, len(todo))) as pool:
        return list(pool.map(work, todo))


def by_name(work: Callable[[Item], Result], things: Mapping[Key, Item]) -> dict[Key, Result]:
    """The same over a mapping's values: `{name: work(thing)}`."""
    return dict(zip(things, side_by_side(work, things.values()), strict=True))
