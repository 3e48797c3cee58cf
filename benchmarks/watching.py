"""When sessions and routes came about, by those who know: the router's kernel and the nodes' speakers."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from bgplab.lab.shell import Shell

_STAMP = re.compile(r"^\[(?P<at>[^\]]+)\] (?P<deleted>Deleted )?(?P<prefix>\S+)")
_STATE = re.compile(r"^(?P<at>\S+ \S+) \S+ (?P<node>\S+): \S+ session to \S+ (?P<state>\S+)$")


class RouteMonitor:
    """`ip -ts monitor route` on a host, while the block runs; the host's clock is the machine's."""

    def __init__(self, host: Shell, seconds: float) -> None:
        self._host, self._seconds = host, seconds
        self._text = ""
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> RouteMonitor:
        self._thread.start()
        time.sleep(0.3)  # its socket must be open before anything happens
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    @property
    def text(self) -> str:
        return self._text

    def _watch(self) -> None:
        command = ["timeout", f"{self._seconds:.0f}", "ip", "-ts", "monitor", "route"]
        self._text = self._host.run(command, check=False, timeout=self._seconds + 20).stdout


def first_with_next_hops(monitored: str, prefix: str, count: int) -> float | None:
    """Unix time of the first report of a route with so many next hops."""
    at: float | None = None
    hops = 0
    for line in [*monitored.splitlines(), ""]:
        head = _STAMP.match(line)
        if (head or not line) and at is not None and hops == count:
            return at
        if head:
            mine = head["prefix"] == prefix and not head["deleted"]
            at = (
                datetime.fromisoformat(head["at"]).replace(tzinfo=UTC).timestamp() if mine else None
            )  # hosts know no zone
            hops = line.count(" via ")
        elif at is not None:
            hops += line.count("nexthop via")
    return None


def session_states(log: Path | str) -> dict[str, dict[str, float]]:
    """Node → state → Unix time at which its session was first in it, from a daemon's log."""
    lines = log.read_text().splitlines() if isinstance(log, Path) else log.splitlines()
    states: dict[str, dict[str, float]] = {}
    for found in filter(None, map(_STATE.match, lines)):
        states.setdefault(found["node"], {}).setdefault(found["state"], _local(found["at"].replace(",", ".")))
    return states


def last(states: Iterable[dict[str, float]], name: str) -> float:
    """When the last of them came to a state. Raises KeyError when one never did."""
    return max(one[name] for one in states)


def _local(text: str) -> float:
    """The daemon logs in this machine's time."""
    return datetime.fromisoformat(text).timestamp()
