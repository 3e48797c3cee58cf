"""Who answered in every state of the mesh, seen from every cluster (M15): made by a step that changes the lab."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bgplab.observe.mesh_load import CurlSeen
from bgplab.traffic.mesh_model import Side, State


@dataclass(frozen=True, slots=True)
class Cell:
    """One state of the mesh seen by one cluster's client.

    client, others: the Services and ready backends as they were read from the clusters in this state.
    settled_seconds: from the change until nothing wrong was answered any more; None when it did not settle before the
    window. answered: by backend. errors: by class. window_seconds: over which the judged requests were spread.
    slowest_failure_seconds: of those that failed. curl: one request by curl, in states in which nobody can answer.
    """

    state: State
    client: Side
    others: tuple[Side, ...]
    settled_seconds: float | None
    answered: Mapping[str, int]
    errors: Mapping[str, int] = field(default_factory=dict)
    window_seconds: float = 0.0
    slowest_failure_seconds: float = 0.0
    curl: CurlSeen | None = None


@dataclass(frozen=True, slots=True)
class TruthTable:
    """cells: in the order they were made; every state once per cluster. seconds: that all of it took."""

    cells: tuple[Cell, ...]
    seconds: float
