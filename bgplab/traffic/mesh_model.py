"""Who may answer a client of a global Service: one pure function, from both sides' Services and ready backends.

Cilium's documented rules (docs, network/clustermesh/services and affinity; agent 1.17.6, service_merger.go):

1. A cluster uses another one's backends if the Service is global here, global there, and shared there; whether it is
   shared here does not matter. Its own backends it uses always. Namespace and name must be the same.
2. affinity `local`: own backends while there is one, else the others'. `remote`: the other way round. Absent: all.
3. Each connection is one draw over all that may answer, not one over clusters first.
4. Nobody left: connect() fails at once, "No route to host" (EHOSTUNREACH, curl exit 7).

What releases do otherwise is in `mesh_deviations.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Literal

from bgplab.traffic.mesh_deviations import Deviation, deviations_of

#: The annotation's value; `absent` is without it, `none` is the word written out.
Affinity = Literal["absent", "none", "local", "remote"]
AFFINITIES: tuple[Affinity, ...] = ("absent", "none", "local", "remote")


@dataclass(frozen=True, slots=True)
class Side:
    """One cluster's part of the Service. ready: names of its backends. named_port: the Service's port has a name.

    affinity: as annotated, lower case, `absent` without; unknown words count as absent. version: the cluster's Cilium.
    """

    cluster: str
    ready: frozenset[str] = frozenset()
    is_global: bool = True
    shared: bool = True
    affinity: str = "absent"
    named_port: bool = False
    version: str = "1.17.6"


@dataclass(frozen=True, slots=True)
class Answering:
    """backends: who may answer in these releases. documented: who should by the rules. deviations: why they differ."""

    backends: frozenset[str]
    documented: frozenset[str]
    deviations: tuple[Deviation, ...] = ()

    @property
    def share(self) -> Fraction | None:
        """Each backend's part of the connections; None when there is nobody."""
        return Fraction(1, len(self.backends)) if self.backends else None


def who_may_answer(client: Side, others: Iterable[Side]) -> Answering:
    """Who may answer a client of one cluster. others: the other clusters of the mesh."""
    others = tuple(others)
    documented = _by_the_rules(client, others)
    kept, met = [], []
    for other in others:
        found = [one for one in deviations_of(client.version) if one.loses is not None and one.loses(client, other)]
        found += [one for one in deviations_of(other.version) if one.withholds is not None and one.withholds(other)]
        met += found
        if not found:
            kept.append(other)
    backends = _by_the_rules(client, kept)
    told = tuple(dict.fromkeys(met)) if backends != documented else ()
    return Answering(backends, documented, told)


def _by_the_rules(client: Side, others: Iterable[Side]) -> frozenset[str]:
    remote = frozenset[str]()
    if client.is_global:
        remote = remote.union(*(other.ready for other in others if other.is_global and other.shared))
    affinity = client.affinity if client.is_global else "absent"
    preferred = {"local": client.ready, "remote": remote}.get(affinity, frozenset())
    return preferred or client.ready | remote


# The truth table -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class State:
    """One setting of the mesh. up: clusters with ready backends. affinity and shared: of every cluster's Service."""

    affinity: Affinity
    up: frozenset[str]
    shared: bool

    def row(self, client: str, clusters: Sequence[str]) -> Row:
        """What this state is to a client of one cluster."""
        remote = any(cluster in self.up for cluster in clusters if cluster != client)
        return Row(self.affinity, client in self.up, remote, self.shared)

    def __str__(self) -> str:
        return f"affinity {self.affinity}, up {', '.join(sorted(self.up)) or 'nobody'}, shared {self.shared}"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the truth table: affinity, whether local and remote backends are ready, whether the others share."""

    affinity: Affinity
    local: bool
    remote: bool
    shared: bool


def truth_table(clusters: Sequence[str]) -> tuple[State, ...]:
    """Every state, in an order in which one cluster at a time is scaled and annotations change in between.

    With two clusters 32 states, each seen from both: 32 rows for each. Starts with all clusters up.
    """
    return tuple(_states(clusters))


def _states(clusters: Sequence[str]) -> Iterator[State]:
    for number in range(2 ** len(clusters)):
        down = number ^ (number >> 1)  # Gray's code: neighbours differ in one cluster
        up = frozenset(cluster for place, cluster in enumerate(clusters) if not down >> place & 1)
        for affinity, shared in product(AFFINITIES, (True, False)):
            yield State(affinity, up, shared)
