"""`ip -ts monitor route`: every change of a kernel's routes, with the kernel's host's own time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network

from bgplab.lab.shell import Running, Shell

#: UTC, since iproute2 prints local times without saying which.
COMMAND = ["env", "TZ=UTC", "ip", "-ts", "monitor", "route"]
_HEAD = re.compile(r"\[(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+)\] (Deleted )?(?:unicast )?(\S+) ?(.*)")
_VIA = re.compile(r"\bvia (\d+\.\d+\.\d+\.\d+)\b")


@dataclass(frozen=True, slots=True)
class RouteChange:
    """A route as it is from this moment on; no next hops: it is gone. at_ns: the host's clock, since the epoch."""

    at_ns: int
    prefix: IPv4Network
    next_hops: frozenset[IPv4Address]


def start_monitor(host: Shell) -> Running:
    """It prints nothing before the first change, and goes on until it is stopped."""
    return host.start(COMMAND)


def parse_monitor(text: str) -> tuple[RouteChange, ...]:
    """Changes of IPv4 unicast routes in the main table; others, and the kernel's own local ones, are left out."""
    return tuple(_changes(text.splitlines()))


def _changes(lines: Iterable[str]) -> Iterator[RouteChange]:
    """A multipath route goes on over indented lines."""
    held: tuple[int, IPv4Network, bool, set[IPv4Address]] | None = None
    for line in lines:
        if line[:1] in ("\t", " "):
            if held:
                held[3].update(_gateways(line))
            continue
        if held:
            yield _change(*held)
        held = _begun(line)
    if held:
        yield _change(*held)


def _begun(line: str) -> tuple[int, IPv4Network, bool, set[IPv4Address]] | None:
    found = _HEAD.match(line)
    if found is None:
        return None
    when, deleted, name, rest = found.groups()
    try:
        prefix = IPv4Network("0.0.0.0/0" if name == "default" else name)
    except ValueError:
        return None  # `local …`, `broadcast …`, IPv6
    return _nanoseconds(when), prefix, bool(deleted), set(_gateways(rest))


def _change(at_ns: int, prefix: IPv4Network, deleted: bool, gateways: set[IPv4Address]) -> RouteChange:
    return RouteChange(at_ns, prefix, frozenset() if deleted else frozenset(gateways))


def _gateways(text: str) -> list[IPv4Address]:
    return [IPv4Address(found) for found in _VIA.findall(text)]


def _nanoseconds(printed: str) -> int:
    moment = datetime.fromisoformat(printed).replace(tzinfo=UTC)
    return int(moment.replace(microsecond=0).timestamp()) * 10**9 + moment.microsecond * 1000
