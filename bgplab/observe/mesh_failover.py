"""What steady requests saw while one cluster's pods went (M12) and came back (M13): made by steps, as it takes both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bgplab.observe.mesh_sides import Home
from bgplab.traffic.records import Probe


@dataclass(frozen=True)
class Crossing:
    """Requests from one cluster's client across one scaling of its own pods.

    cluster: whose pods were scaled and whose client asked. replicas: how many there are afterwards. event_ns: when it
    was asked for. settled_ns: when endpoints and every agent's backends were as they should be. Both are on the
    client's clock. before, after: pods that may answer before the event and once it has settled.
    """

    cluster: str
    replicas: int
    event_ns: int
    settled_ns: int
    before: frozenset[str]
    after: frozenset[str]
    probe: Probe
    interval_seconds: float
    homes: Mapping[str, Home] = field(default_factory=dict)


@dataclass(frozen=True)
class FailedOver:
    """To the other clusters."""

    crossing: Crossing


@dataclass(frozen=True)
class Restored:
    """Back to its own pods."""

    crossing: Crossing
