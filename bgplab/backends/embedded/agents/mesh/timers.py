"""When an agent doubts and tries again. Cilium's and gRPC's own values; tests shorten them, the lab does not."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MeshTimers:
    """Seconds.

    heartbeat: how often the exporter writes it (Cilium's HeartbeatWriteInterval); an agent that has not seen one for
    twice as long gives its connection up. check_healthy, check_unhealthy: how often it looks. first_retry, growth,
    jitter, last_retry: gRPC's connection backoff (doc/connection-backoff.md), after one attempt at once.
    lease: of the exported keys, in the exporting cluster's own etcd.
    """

    heartbeat: float = 60.0
    check_healthy: float = 30.0
    check_unhealthy: float = 5.0
    first_retry: float = 1.0
    growth: float = 1.6
    jitter: float = 0.2
    last_retry: float = 120.0
    lease: int = 15 * 60

    @property
    def silence(self) -> float:
        return 2 * self.heartbeat

    def pauses(self, draw: random.Random) -> Iterator[float]:
        """Before each attempt after the first."""
        pause = self.first_retry
        while True:
            yield pause * (1 + draw.uniform(-self.jitter, self.jitter))
            pause = min(self.last_retry, pause * self.growth)


CILIUM = MeshTimers()
