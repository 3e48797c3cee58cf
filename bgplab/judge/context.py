"""What one run knows beyond what can be seen now: what steps measured, and what was seen in stages that are past."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar

from bgplab.observe.http import VipRequests
from bgplab.results.record import ConvergenceResult, LoadTestResult, TruthCell

Kept = TypeVar("Kept")

#: Taken for a route's way from a node to a router's kernel until it has been measured (facts/speakers.md: 0.06 s).
USUAL_PROPAGATION_SECONDS = 0.2
SHORTEST_WINDOW_SECONDS = 2.0


@dataclass
class Context:
    """propagation_seconds: measured by the steps, None so far.

    load_tests, convergence, truth_table: for the report, in order of judging.
    """

    propagation_seconds: float | None = None
    load_tests: list[LoadTestResult] = field(default_factory=list)
    convergence: list[ConvergenceResult] = field(default_factory=list)
    truth_table: list[TruthCell] = field(default_factory=list)
    vip_requests: dict[str, VipRequests] = field(default_factory=dict)
    _kept: dict[type, Any] = field(default_factory=dict)

    def keep(self, observation: object) -> None:
        """Keep evidence that only a step could make (PodsMoved, HashPolicyRestored)."""
        self._kept[type(observation)] = observation

    def kept(self, kind: type[Kept]) -> Kept | None:
        return self._kept.get(kind)

    def measured(self, propagation_seconds: float) -> None:
        """A step's measurement; the slowest one counts."""
        self.propagation_seconds = max(self.propagation_seconds or 0.0, propagation_seconds)

    @property
    def window_seconds(self) -> float:
        """How long something must stay away: at least 2 s, at least ten times the propagation."""
        return max(SHORTEST_WINDOW_SECONDS, 10 * (self.propagation_seconds or USUAL_PROPAGATION_SECONDS))
