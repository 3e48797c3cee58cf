"""The frr service of a router: whether it runs, since when, and its journal (log lines: facts/frr.md 8.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from bgplab.lab.shell import Shell
from bgplab.observe.frr_config import STARTUP_FILE
from bgplab.observe.side_by_side import by_name

PID_FILE = "/run/frr/bgpd.pid"
_STATE = f"systemctl is-active frr; stat -c '%n %.9Y' {STARTUP_FILE} {PID_FILE} 2>/dev/null; true"
_STARTING = re.compile(r"watchfrr \S+ starting")
_END_OF_RIB = re.compile(r"rcvd End-of-RIB for IPv4 Unicast from (\S+) in vrf")
_READ_BY = re.compile(r"(zebra|bgpd|staticd)\[\d+\]: .*Configuration Read in Took")
JOURNAL_LINES = 2000


@dataclass(frozen=True, slots=True)
class FrrService:
    """started: when bgpd wrote its pid file; written: when the configuration was last written (seconds, epoch)."""

    active: bool
    started: float | None
    written: float | None

    @property
    def has_read_its_configuration(self) -> bool:
        """bgpd started after the configuration's last write."""
        return self.active and None not in (self.started, self.written) and self.started >= self.written  # type: ignore[operator]


@dataclass(frozen=True, slots=True)
class FrrServices:
    by_router: Mapping[str, FrrService]


@dataclass(frozen=True, slots=True)
class FrrLog:
    """`journalctl -u frr` since the last start.

    read_by: daemons that logged "Configuration Read". end_of_rib: peers whose End-of-RIB was logged; FRR logs another
    one at some policy changes, so they are a set, not a count.
    """

    read_by: frozenset[str]
    all_daemons_up: bool
    end_of_rib: frozenset[IPv4Address]


@dataclass(frozen=True, slots=True)
class FrrLogs:
    by_router: Mapping[str, FrrLog]


def read_service(router: Shell) -> FrrService:
    return parse_service(router.run(["sh", "-c", _STATE]).stdout)


def read_services(routers: Mapping[str, Shell]) -> FrrServices:
    return FrrServices(by_name(read_service, routers))


def read_log(router: Shell) -> FrrLog:
    return parse_log(router.run(["journalctl", "-u", "frr", "--no-pager", "-n", str(JOURNAL_LINES)]).stdout)


def read_logs(routers: Mapping[str, Shell]) -> FrrLogs:
    return FrrLogs(by_name(read_log, routers))


def parse_service(text: str) -> FrrService:
    times = dict(re.findall(r"^(/\S+) (\d+[.,]\d+|\d+)$", text, re.M))
    started, written = (times.get(path) for path in (PID_FILE, STARTUP_FILE))
    return FrrService(text.split("\n", 1)[0].strip() == "active", _seconds(started), _seconds(written))


def _seconds(printed: str | None) -> float | None:
    return float(printed.replace(",", ".")) if printed else None


def parse_log(text: str) -> FrrLog:
    lines = text.splitlines()
    starts = [number for number, line in enumerate(lines) if _STARTING.search(line)]
    recent = "\n".join(lines[starts[-1] if starts else 0 :])
    return FrrLog(
        frozenset(_READ_BY.findall(recent)),
        "all daemons up, doing startup-complete notify" in recent,
        frozenset(IPv4Address(peer) for peer in _END_OF_RIB.findall(recent)),
    )
