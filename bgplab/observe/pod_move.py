"""What was seen while the application was scaled down and back (G26): made by the step, since it changes the lab."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Move:
    """One change of the number of pods, as one router saw it.

    serving: nodes with a ready pod afterwards. announcing: nodes that were next hops in its kernel afterwards.
    settled_seconds: from the change until both agreed. failed_after: requests that began later than that and failed.
    """

    replicas: int
    router: str
    serving: tuple[str, ...]
    announcing: tuple[str, ...]
    settled_seconds: float
    failed_after: int


@dataclass(frozen=True, slots=True)
class PodsMoved:
    """moves: in order of time. requests, failed: of the steady prober across both changes."""

    moves: tuple[Move, ...]
    requests: int
    failed: int
