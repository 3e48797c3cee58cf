"""What was seen while the application was scaled down and back (G26): made by the step, since it changes the lab."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Move:
    """One change of the number of pods, as one router saw it.

    serving: nodes with a ready pod afterwards. announcing: nodes with a valid path in its BGP table afterwards.
    settled_seconds: from the change until both agreed. sent_after, failed_after: requests that began later than that,
    before the next change.
    """

    replicas: int
    router: str
    serving: tuple[str, ...]
    announcing: tuple[str, ...]
    settled_seconds: float
    sent_after: int
    failed_after: int


@dataclass(frozen=True, slots=True)
class PodsMoved:
    """before: nodes with a ready pod until then. moves: in order of time. requests, failed: of the steady prober."""

    before: tuple[str, ...]
    moves: tuple[Move, ...]
    requests: int
    failed: int
