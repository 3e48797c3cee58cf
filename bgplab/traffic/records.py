"""What is sent and what came of it, as plain data: a plan for the prober, and the records of one run."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send; the prober's options. 0 is no limit (requests, rate, duration) or the default (concurrency)."""

    url: str
    requests: int = 0
    concurrency: int = 0
    rate: float = 0.0
    duration: float = 0.0
    source_ports: str = "kernel"
    source_addresses: tuple[str, ...] = ()
    connect_timeout: float = 2.0
    read_timeout: float = 5.0
    host_header: str = ""
    seed: int = 0

    def arguments(self) -> list[str]:
        """The prober's command line, without what is its default anyway."""
        given = [f"--url={self.url}"]
        for name in ("requests", "concurrency", "rate", "duration", "source_ports", "connect_timeout", "read_timeout"):
            if getattr(self, name) != Plan.__dataclass_fields__[name].default:
                given.append(f"--{name.replace('_', '-')}={getattr(self, name)}")
        given += [f"--source-address={address}" for address in self.source_addresses]
        given += [f"--host-header={self.host_header}"] if self.host_header else []
        return given + ([f"--seed={self.seed}"] if self.seed else [])

    @property
    def longest_seconds(self) -> float:
        """No run takes longer, even when every connection times out."""
        each = self.connect_timeout + self.read_timeout
        if self.duration:
            return self.duration + each + 10
        if self.rate:
            return self.requests / self.rate + each + 10
        return math.ceil(self.requests / (self.concurrency or 32)) * each + 10


@dataclass(frozen=True)
class Probe:
    """What one prober run measured: one record per connection, as columns.

    where: the host or pod. columns: by name (prober.COLUMNS: `start_ns` wall clock, `*_us` latencies in microseconds),
    in order of completion. summary: the prober's own. method: `curl` where Python was missing, and the note says so.
    """

    where: str
    command: str
    columns: Mapping[str, Sequence[Any]]
    summary: Mapping[str, Any] = field(default_factory=dict)
    header: Mapping[str, Any] = field(default_factory=dict)
    method: Literal["prober", "curl"] = "prober"
    note: str = ""

    def __len__(self) -> int:
        return len(self.columns["sequence"])

    @cached_property
    def frame(self) -> pandas.DataFrame:
        """The records as a DataFrame, one row per connection, ordered by sequence."""
        import pandas

        return pandas.DataFrame(dict(self.columns)).sort_values("sequence", ignore_index=True)

    @property
    def answered(self) -> int:
        """Connections with a whole 2xx answer."""
        return sum(1 for error in self.columns["error"] if not error)

    @property
    def errors(self) -> Counter[str]:
        """How many of each error class; empty when all were answered."""
        return Counter(error for error in self.columns["error"] if error)

    @property
    def backends(self) -> Counter[str]:
        """Whole answers by the pod that gave them."""
        rows = zip(self.columns["backend"], self.columns["error"], strict=True)
        return Counter(backend for backend, error in rows if backend is not None and not error)

    @property
    def seen_addresses(self) -> Counter[str]:
        """Client addresses as the pods saw them, without ports."""
        return Counter(remote.rpartition(":")[0] for remote in self.columns["remote_address"] if remote is not None)

    @property
    def source_addresses(self) -> tuple[str, ...]:
        """The local addresses used."""
        return tuple(sorted({address for address in self.columns["source_address"] if address is not None}))

    @property
    def chosen_source_ports(self) -> int | None:
        """How many different ones the prober took for each address; None where the kernel chose them."""
        if self.header.get("source_ports", "kernel") == "kernel":
            return None
        return len({port for port in self.columns["source_port"] if port})
