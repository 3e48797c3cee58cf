"""What FRR's log says of BGP sessions, line by line with its time (facts/frr.md 8.1; seen with FRR 8.4.4).

Sessions are logged only with `bgp log-neighbor-changes`, and with microseconds only in a file of FRR's own: syslog's
times are whole seconds. A step switches both on (bgplab/steps/failover/session_log.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address
from typing import Literal

_LINE = re.compile(r"(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d+)?) BGP: \[[^]]*\] (.*)")
_CHANGE = re.compile(r"%ADJCHANGE: neighbor (\d+\.\d+\.\d+\.\d+)\S* in vrf \S+ (Up|Down)\s*(.*)")
_END_OF_RIB = re.compile(r".*rcvd End-of-RIB for IPv4 Unicast from (\d+\.\d+\.\d+\.\d+)")
_NOTIFICATION = re.compile(r"%NOTIFICATION(.*?neighbor) (\d+\.\d+\.\d+\.\d+)\S*\s*(.*)")

Kind = Literal["session_up", "session_down", "end_of_rib", "notification"]


@dataclass(frozen=True, slots=True)
class BgpEvent:
    """One line. at_ns: the router's clock, since the epoch. detail: FRR's reason, in its words."""

    at_ns: int
    kind: Kind
    peer: IPv4Address
    detail: str = ""


def parse_bgp_log(text: str, utc_offset_seconds: int = 0) -> tuple[BgpEvent, ...]:
    """The lines about sessions, in order. utc_offset_seconds: of the router's local time, which FRR writes."""
    events = []
    for line in text.splitlines():
        found = _LINE.match(line)
        told = _told(found[2]) if found else None
        if found and told:
            events.append(BgpEvent(_nanoseconds(found[1], utc_offset_seconds), *told))
    return tuple(events)


def _told(text: str) -> tuple[Kind, IPv4Address, str] | None:
    if found := _CHANGE.match(text):
        kind: Kind = "session_up" if found[2] == "Up" else "session_down"
        return kind, IPv4Address(found[1]), found[3].strip()
    if found := _END_OF_RIB.match(text):
        return "end_of_rib", IPv4Address(found[1]), "End-of-RIB received"
    if found := _NOTIFICATION.match(text):
        return "notification", IPv4Address(found[2]), f"NOTIFICATION{found[1]} {found[3]}".strip()
    return None


def _nanoseconds(printed: str, utc_offset_seconds: int) -> int:
    whole, _, fraction = printed.partition(".")
    seconds = int((datetime.strptime(whole, "%Y/%m/%d %H:%M:%S") - datetime(1970, 1, 1)).total_seconds())
    return (seconds - utc_offset_seconds) * 10**9 + int(fraction.ljust(9, "0")[:9] or 0)
