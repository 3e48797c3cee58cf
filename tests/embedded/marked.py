"""Processes that a test started, whatever became of their parents: they carry the test's own directory about.

It stands in the environment of whatever the command line starts, and in the command line of a lab's daemon. Processes
of a lab's hosts carry nothing, but live in namespaces that its daemon's descendants show while they live.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from bgplab.lab.directory import start_time_of

NAMESPACES = ("pid", "net", "mnt", "ipc", "uts", "user")


@dataclass(frozen=True)
class Traces:
    """What marked processes had: namespaces that are not this process's own, and inodes of listening sockets.

    seen: when, in clock ticks since boot. The kernel gives a namespace's number to a new one once it is free, so only
    a process that is older than this can be a left-over in it.
    """

    namespaces: frozenset[str]
    listening: frozenset[str]
    seen: int

    def __or__(self, other: Traces) -> Traces:
        return Traces(self.namespaces | other.namespaces, self.listening | other.listening, max(self.seen, other.seen))


NO_TRACES = Traces(frozenset(), frozenset(), 0)


@dataclass(frozen=True)
class Marked:
    """directory: of one test; nothing else on the machine has its path."""

    directory: Path

    def processes(self) -> dict[int, str]:
        """Living ones, and all their descendants: id → command line."""
        found: dict[int, str] = {}
        waiting = [pid for pid in _all() if self._is_marked(pid)]
        while waiting:
            pid = waiting.pop()
            if pid not in found and _is_alive(pid):
                found[pid] = _read(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace").strip()
                waiting += map(int, _read(pid, f"task/{pid}/children").split())
        return found

    def traces(self) -> Traces:
        processes = self.processes()
        ours = {_namespace("self", kind) for kind in NAMESPACES}
        spaces = {_namespace(pid, kind) for pid in processes for kind in NAMESPACES} - ours - {""}
        sockets = {name for pid in processes for name in _sockets(pid)}
        ports = frozenset(row[9] for row in _listening() if f"socket:[{row[9]}]" in sockets)
        ticks = time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK")
        return Traces(frozenset(spaces), ports, int(ticks))

    def left(self, traces: Traces) -> dict[str, object]:
        """What there still is of all that; empty when nothing is left."""
        inside = {
            pid: space
            for pid in _all()
            for kind in NAMESPACES
            if (space := _namespace(pid, kind)) in traces.namespaces
            and (start_time_of(pid) or traces.seen) < traces.seen
        }
        ports = [row[1] for row in _listening() if row[9] in traces.listening]
        found: dict[str, object] = {
            "processes": self.processes(), "in its namespaces": inside, "listening": ports,
        }  # fmt: skip
        if not any(found.values()):  # while there are processes there may be a lab
            found["labs"] = self.labs()
        return {name: what for name, what in found.items() if what}

    def labs(self) -> list[str]:
        """What `bgp-lab list` shows (it sweeps away what is stale)."""
        command = [sys.executable, "-m", "bgplab.cli.main", "list", "--json"]
        environment = {**os.environ, "BGPLAB_STATE": str(self.directory / "state")}
        shown = json.loads(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)
        return [one["name"] for one in shown]

    def daemon(self) -> int | None:
        """The process id of a lab's daemon; None while there is none."""
        for pid, command in self.processes().items():
            if "bgplab.backends.embedded.daemon.main" in command and "daemon.pid1" not in command:
                return pid
        return None

    def _is_marked(self, pid: int) -> bool:
        mark = str(self.directory).encode()
        return mark in _read(pid, "cmdline") or mark in _read(pid, "environ")


def _all() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _is_alive(pid: int) -> bool:
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return bool(fields) and fields[0] not in (b"Z", b"X")


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def _namespace(pid: int | str, kind: str) -> str:
    try:
        return str(Path(f"/proc/{pid}/ns/{kind}").readlink())
    except OSError:
        return ""


def _sockets(pid: int) -> list[str]:
    try:
        return [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return []


def _listening() -> list[list[str]]:
    """Rows of /proc/net/tcp in state LISTEN; [1] is the address, [9] the socket's inode."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [row for row in rows if row[3] == "0A"]
