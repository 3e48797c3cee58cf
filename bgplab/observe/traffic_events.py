"""What was seen while an event happened under steady traffic, and while it was undone: made by steps (flow failover).

Each router is watched by itself. All its times are its own clock, in nanoseconds since the epoch: prober, FRR and
kernel are on the same host.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from bgplab.observe.bgp_log import BgpEvent
from bgplab.observe.route_monitor import RouteChange
from bgplab.traffic.convergence import Convergence, convergence
from bgplab.traffic.records import Probe

#: A connection that began so shortly before a change may be the change's: it was open when it came.
OPEN_CONNECTION_NS = 100_000_000


@dataclass(frozen=True, slots=True)
class Phase:
    """A change, and the time until the next one.

    did: what, to whom. nodes: those it concerns. due: the kernel's next hops that must come of it. settled: whether
    what the step waited for came in time. note: what else was done meanwhile; noted_ns: when. spared: the change was
    made at another router alone, so that nothing may come of it at this one.
    """

    did: str
    nodes: tuple[str, ...]
    at_ns: int
    until_ns: int
    due: frozenset[IPv4Address]
    settled: bool
    note: str = ""
    noted_ns: int | None = None
    spared: bool = False


@dataclass(frozen=True)
class AtRouter:
    """What one router saw. away: the event. back: what undid it. before: the kernel's next hops to the prefix when all
    began.

    names: of nodes, by address. probe: all connections, from some time before the event until some time after.
    """

    router: str
    prefix: IPv4Network
    names: dict[IPv4Address, str]
    before: frozenset[IPv4Address]
    away: Phase
    back: Phase
    probe: Probe
    routes: tuple[RouteChange, ...]
    log: tuple[BgpEvent, ...]

    def traffic(self, phase: Phase) -> Convergence:
        """How a phase's connections fared; the event's phase begins with the first connection of all."""
        if phase is self.away:
            return convergence(self.probe, 0, self.back.at_ns - OPEN_CONNECTION_NS)
        return convergence(self.probe, phase.at_ns - OPEN_CONNECTION_NS, None)

    def failed_before(self) -> int:
        """Connections that failed too early for the event to be to blame."""
        return convergence(self.probe, 0, self.away.at_ns - OPEN_CONNECTION_NS).lost

    def begun_before_seconds(self) -> float:
        """How long before the event the first connection was opened; negative when it was later."""
        starts = self.probe.columns["start_ns"]
        return (self.away.at_ns - min(starts)) / 1e9 if starts else float("-inf")

    def changes(self, phase: Phase) -> tuple[RouteChange, ...]:
        """Of the prefix in the kernel, within a phase."""
        return tuple(
            change
            for change in self.routes
            if change.prefix == self.prefix and phase.at_ns <= change.at_ns < phase.until_ns
        )

    def hops_at_the_end(self, phase: Phase) -> frozenset[IPv4Address]:
        """The kernel's next hops when a phase ended, by its own changes."""
        earlier = [change for change in self.routes if change.prefix == self.prefix and change.at_ns < phase.until_ns]
        return earlier[-1].next_hops if earlier else self.before

    def settled_seconds(self, phase: Phase) -> float | None:
        """From the change until the kernel had the next hops due, for good; 0 if it never had others, None: not."""
        if self.hops_at_the_end(phase) != phase.due:
            return None
        changes = self.changes(phase)
        at_ns = phase.at_ns
        for number, change in enumerate(changes):
            if change.next_hops == phase.due and all(later.next_hops == phase.due for later in changes[number:]):
                at_ns = change.at_ns
                break
        return (at_ns - phase.at_ns) / 1e9

    def said(self, phase: Phase, kind: str, nodes: Iterable[str]) -> dict[str, float]:
        """When FRR's log first said this of a node's session in a phase: seconds after the change, by node."""
        wanted, found = set(nodes), dict[str, float]()
        for event in self.log:
            name = self.names.get(event.peer, str(event.peer))
            if event.kind == kind and name in wanted and phase.at_ns <= event.at_ns < phase.until_ns:
                found.setdefault(name, (event.at_ns - phase.at_ns) / 1e9)
        return found


@dataclass(frozen=True)
class UnderTraffic:
    """at: what each router saw, in the description's order."""

    at: tuple[AtRouter, ...]


class PodScaledAway(UnderTraffic):
    """A Deployment scaled down by one under policy Local, and back."""


class AgentKilled(UnderTraffic):
    """A node's agent gone for longer than the restart time, and back."""


class AgentsRestarted(UnderTraffic):
    """All agents ended at once, and started again at once."""


class LinkDown(UnderTraffic):
    """A node's link down behind a switch, and up."""


class SessionShut(UnderTraffic):
    """A node's session shut on the router, and opened."""


class LabelRemoved(UnderTraffic):
    """A node's BGP label removed, and set."""


class RouteWithdrawn(UnderTraffic):
    """The Service's advertisement deleted, and applied again."""
