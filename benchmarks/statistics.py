"""Medians with their range, and growth over sizes. Pure."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Series:
    """Values of one measurement, in the order they were taken. unit: `s`, `MB`, …"""

    values: tuple[float, ...]
    unit: str = "s"

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def least(self) -> float:
        return min(self.values)

    @property
    def most(self) -> float:
        return max(self.values)

    def meets(self, limit: float) -> bool:
        """Whether the median does; a target says nothing about the worst run."""
        return self.median <= limit


def marginal_costs(points: Sequence[tuple[int, float]]) -> list[float]:
    """What one more unit costs between neighbouring sizes. Raises ValueError for fewer than two distinct sizes."""
    ordered = sorted(points)
    if len({size for size, _ in ordered}) < 2:
        raise ValueError("growth needs at least two sizes")
    return [(after - before) / (large - small) for (small, before), (large, after) in _pairs(ordered)]


def growth(points: Sequence[tuple[int, float]]) -> float:
    """The last marginal cost by the first: 1 is linear, less is better, more is worse than linear.

    The fixed cost, which an average per unit would hide behind, has no part in it. Raises ValueError when the first
    step cost nothing (then no ratio means anything).
    """
    costs = marginal_costs(points)
    if costs[0] <= 0:
        raise ValueError(f"the first step cost {costs[0]}: no ratio")
    return costs[-1] / costs[0]


def _pairs(
    ordered: Sequence[tuple[int, float]],
) -> list[tuple[tuple[int, float], tuple[int, float]]]:
    return [(one, other) for one, other in itertools.pairwise(ordered) if one[0] != other[0]]
