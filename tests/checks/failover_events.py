"""Events under traffic as steps would have seen them, made by hand; a test then changes one thing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import TypeVar

from bgplab.checks.all import all_checks
from bgplab.checks.expected import Expected
from bgplab.checks.finding import Finding
from bgplab.observe.bgp_log import BgpEvent, Kind
from bgplab.observe.route_monitor import RouteChange
from bgplab.observe.traffic_events import AtRouter, Phase, UnderTraffic
from bgplab.spec.loading import load_lab
from bgplab.traffic.prober import COLUMNS
from bgplab.traffic.records import Probe

GUIDE = load_lab("guide")
SECOND = 1_000_000_000
EVENT = 1_000 * SECOND  # when it is made
VIP = IPv4Network("172.16.1.1/32")
NODES = {node.address: node.name for node in GUIDE.cluster.nodes}
CTR, W1, W0 = (node.address for node in GUIDE.cluster.nodes)
ALL = frozenset(NODES)
OTHERS = ALL - {W1}

Seen = TypeVar("Seen", bound=UnderTraffic)
Outcome = Callable[[float], str]


def well(at_seconds: float) -> str:
    """Every connection is answered."""
    return ""


def failing(*spans: tuple[float, float], error: str = "timeout_connect", of: int = 1) -> Outcome:
    """Connections that begin in these spans (seconds after the event) fail; of: only each so-manieth."""

    def outcome(at_seconds: float) -> str:
        hit = any(start <= at_seconds < end for start, end in spans)
        return error if hit and round(at_seconds * 100) % of == 0 else ""

    return outcome


def an_event(
    kind: type[Seen],
    *,
    undone_after: float,
    ends_after: float,
    hops: Mapping[float, frozenset[IPv4Address]],
    due: frozenset[IPv4Address] = OTHERS,
    nodes: Sequence[str] = ("k8s-w1",),
    log: Sequence[tuple[float, Kind, IPv4Address]] = (),
    outcome: Outcome = well,
    begins: float = -1.0,
    rate: int = 100,
    router: str = "router",
    spared: bool = False,
) -> Seen:
    """All times in seconds after the event. hops: the kernel's next hops from then on."""
    starts = [begins + number / rate for number in range(int((ends_after - begins) * rate))]
    columns: dict[str, list[object]] = {name: [None] * len(starts) for name in COLUMNS}
    columns["sequence"] = list(range(len(starts)))
    columns["start_ns"] = [at(start) for start in starts]
    columns["error"] = [outcome(start) for start in starts]
    seen = AtRouter(
        router,
        VIP,
        dict(NODES),
        ALL,
        Phase("the event", tuple(nodes), EVENT, at(undone_after), due, True, spared=spared),
        Phase("its way back", tuple(nodes), at(undone_after), at(ends_after), ALL, True, spared=spared),
        Probe(router, "", columns),
        tuple(RouteChange(at(when), VIP, now) for when, now in sorted(hops.items())),
        tuple(BgpEvent(at(when), kind_, peer) for when, kind_, peer in log),
    )
    return kind((seen,))


def at(seconds: float) -> int:
    return EVENT + round(seconds * SECOND)


def with_back(seen: Seen, **changes: object) -> Seen:
    (at_one,) = seen.at
    return replace(seen, at=(replace(at_one, back=replace(at_one.back, **changes)),))  # type: ignore[arg-type]


def both(one: Seen, other: Seen) -> Seen:
    """The same event as two routers saw it."""
    return replace(one, at=(*one.at, *other.at))


def judged(id: str, seen: UnderTraffic) -> Finding:
    return all_checks("E")[id].judge(seen, Expected(GUIDE, id))
