"""What a steady prober saw across an event: when it began to hurt, when it stopped, what was lost. Pure.

A failure counts at the moment its connection *started*: that is when the network would not have taken it. The
prober's own spacing is the resolution: an outage shorter than 1 / rate may fall between two connections.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from bgplab.traffic.records import Probe

NOT_THE_NETWORKS = frozenset({"interrupted", "address_in_use", "local_limit"})


@dataclass(frozen=True, slots=True)
class Convergence:
    """Times in nanoseconds since the epoch; None when nothing failed.

    outage_seconds: first failure to the first success after the last failure (to the last failure if none came).
    lost, sent: connections. resolution_seconds: the largest gap between two starts, below which nothing can be seen.
    """

    first_failure_ns: int | None
    last_failure_ns: int | None
    recovered_ns: int | None
    lost: int
    sent: int
    resolution_seconds: float
    errors: Mapping[str, int] = field(default_factory=dict)

    @property
    def outage_seconds(self) -> float:
        if self.first_failure_ns is None or self.last_failure_ns is None:
            return 0.0
        return ((self.recovered_ns or self.last_failure_ns) - self.first_failure_ns) / 1e9

    @property
    def recovered(self) -> bool:
        """Nothing failed, or something succeeded after the last failure."""
        return self.first_failure_ns is None or self.recovered_ns is not None

    def seconds_after(self, event_ns: int) -> float | None:
        """From an event to the end of the outage; None when nothing failed."""
        end = self.recovered_ns or self.last_failure_ns
        return None if end is None else (end - event_ns) / 1e9


def convergence(probe: Probe, since_ns: int = 0, until_ns: int | None = None) -> Convergence:
    """Judge connections started in this time (until_ns not included); failures of the client's own are left out."""
    rows = sorted(
        (start, error)
        for start, error in zip(probe.columns["start_ns"], probe.columns["error"], strict=True)
        if start >= since_ns and (until_ns is None or start < until_ns) and error not in NOT_THE_NETWORKS
    )
    failures = [start for start, error in rows if error]
    last = failures[-1] if failures else None
    recovered = next((start for start, error in rows if not error and last is not None and start > last), None)
    gaps = [after[0] - before[0] for before, after in pairwise(rows)]
    return Convergence(
        first_failure_ns=failures[0] if failures else None,
        last_failure_ns=last,
        recovered_ns=recovered,
        lost=len(failures),
        sent=len(rows),
        resolution_seconds=max(gaps, default=0) / 1e9,
        errors=dict(Counter(error for _, error in rows if error)),
    )
