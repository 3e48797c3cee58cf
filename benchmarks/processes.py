"""CPU time and memory of a process and all its descendants, from /proc."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Usage:
    """cpu_seconds: user and system, of what runs and what has been waited for. pss_mb: shared pages are shared out."""

    processes: int
    cpu_seconds: float
    pss_mb: float


def usage_of(pid: int, *, memory: bool = False) -> Usage:
    """What a tree of processes has used so far. Reading memory takes a while; ask for it outside a measurement."""
    tree = _tree(pid)
    ticks = os.sysconf("SC_CLK_TCK")
    cpu = sum(used for used in tree.values()) / ticks
    pss = sum(_pss_kb(one) for one in tree) / 1024 if memory else 0.0
    return Usage(len(tree), cpu, pss)


def _tree(root: int) -> dict[int, int]:
    parents: dict[int, tuple[int, int]] = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            fields = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(name)] = int(fields[1]), sum(map(int, fields[11:15]))  # proc(5): ppid; utime stime cutime cstime
    found: dict[int, int] = {}
    todo = [root] if root in parents else []
    while todo:
        pid = todo.pop()
        found[pid] = parents[pid][1]
        todo += [other for other, (parent, _) in parents.items() if parent == pid]
    return found


def _pss_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
