"""Deadlines and waiting on conditions. A time-out carries what was last seen."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from bgplab.errors import CommandFailed, DeadlineExceeded

Seen = TypeVar("Seen")


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock, handed down so that nested waits share one limit."""

    at: float
    seconds: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        return cls(time.monotonic() + seconds, seconds)

    @property
    def remaining(self) -> float:
        """Seconds left; never negative."""
        return max(0.0, self.at - time.monotonic())

    @property
    def passed(self) -> bool:
        return time.monotonic() >= self.at


def wait_until(
    look: Callable[[], Seen],
    holds: Callable[[Seen], bool],
    within: Deadline,
    what: str,
    every: float = 0.05,
    transient: tuple[type[Exception], ...] = (CommandFailed,),
) -> Seen:
    """Look until `holds(seen)`, and return that sight. Transient faults count as "not yet".

    Raises DeadlineExceeded with the last sight (or fault).
    """
    while True:
        seen: object
        try:
            sight = look()
            if holds(sight):
                return sight
            seen = sight
        except transient as fault:
            seen = fault
        if within.passed:
            raise DeadlineExceeded(what, within.seconds, seen)
        time.sleep(min(every, within.remaining))
