"""10, 30, 100 nodes: time and memory, and whether they grow no worse than linearly."""

from __future__ import annotations

import time

from benchmarks.processes import usage_of
from benchmarks.propagation import dial
from benchmarks.record import Cell, Row, Table
from benchmarks.settings import Session, Taking
from benchmarks.statistics import Series, growth
from bgplab.backends.embedded import launch
from bgplab.lab import directory as labs
from bgplab.lab.opening import open_lab
from bgplab.lab.waiting import Deadline
from bgplab.spec.loading import scale_lab
from bgplab.steps.all import STEPS

KEY = "scale"
NAME = "bench-scale"
SIZES = (10, 30, 100)
#: Growth is measured, and measurements scatter; a ratio of marginal costs up to this counts as linear.
LINEAR = 1.2
#: What the target speaks of. Sessions and routes hold gobgpd's draw, `down` is too short to be judged by a ratio.
JUDGED = ("up", "memory", "memory speaking", "latency")
MEASURED = {
    "up": ("`up` in process", "s"),
    "cpu": ("CPU time of the lab until it is up", "s"),
    "memory": ("memory, up and idle (PSS of all processes)", "MB"),
    "memory speaking": ("memory with all sessions", "MB"),
    "latency": ("CRDs applied → every speaker has its peer", "s"),
    "sessions": ("CRDs applied → all sessions", "s"),
    "route": ("CRDs applied → VIP with a next hop per node", "s"),
    "down": ("`down`", "s"),
}


def measure(session: Session) -> Table:
    taking = Taking(KEY, "10, 30 and 100 nodes")
    rounds = min(session.rounds, 1 if session.quick else 3)
    sizes = SIZES[:2] if session.quick else SIZES
    seen: dict[tuple[str, int], list[float]] = {}
    for number in range(rounds):
        for size in sizes:
            taken = _once(size)
            for name, value in taken.items():
                seen.setdefault((name, size), []).append(value)
            session.say(f"scale: round {number + 1}: {size} nodes up in {taken['up']:.1f} s, {taken['memory']:.0f} MB")
    rows = [
        _row(name, {size: Series(tuple(seen[name, size]), MEASURED[name][1]) for size in sizes}) for name in MEASURED
    ]
    rows += [
        _per_node("time per node, `up`", {size: Series(tuple(seen["up", size])) for size in sizes}, "s"),
        _per_node("memory per node, up and idle", {s: Series(tuple(seen["memory", s]), "MB") for s in sizes}, "MB"),
    ]
    notes = [
        "Growth is the cost of one more node between the two largest sizes by that between the two smallest: 1 is"
        f" linear, less is better. Up to {LINEAR} counts as linear, for measurements scatter.",
        "Routers are configured first; sessions and route wait for gobgpd's draw (1–2 s, the largest of N).",
        f"Medians of {rounds}.",
    ]
    return taking.table((*(f"{size} nodes" for size in sizes), "growth"), rows, notes)


def _row(name: str, series: dict[int, Series]) -> Row:
    label = MEASURED[name][0]
    if len(series) < 3:
        return Row(label, (*series.values(), ""))
    try:
        ratio = growth([(size, one.median) for size, one in series.items()])
    except ValueError as fault:
        return Row(label, (*series.values(), str(fault)))
    cells: tuple[Cell, ...] = (*series.values(), f"{ratio:.2f}")
    if name not in JUDGED:
        return Row(label, cells)
    why = f"one more node costs {ratio:.2f} times as much between 30 and 100 as between 10 and 30"
    met = ratio <= LINEAR
    return Row(label, cells, "growth ≤ linear", met, "" if met else why, len(series))


def _per_node(label: str, series: dict[int, Series], unit: str) -> Row:
    cells: tuple[Cell, ...] = tuple(
        Series(tuple(value / size for value in one.values), unit) for size, one in series.items()
    )
    return Row(label, (*cells, ""))


def _once(size: int) -> dict[str, float]:
    spec = scale_lab(size)
    started = time.monotonic()
    lab_up = launch.up(spec, NAME, holder="benchmark", grace_seconds=1.0)
    stood = time.monotonic()
    try:
        idle = usage_of(lab_up.record.pid)
        memory = usage_of(lab_up.record.pid, memory=True).pss_mb
        lab = open_lab(labs.access_to(lab_up.record))
        for step in ("G03", "G07", "G08", "G10", "G18", "G19"):
            STEPS[step].do(lab, spec, Deadline.after(60))
        dialled = dial(lab, spec, NAME, 5.0 + size / 10)
        speaking = usage_of(lab_up.record.pid, memory=True).pss_mb
    finally:
        going = time.monotonic()
        lab_up.lease.release()
        launch.down(NAME)
    return {
        "up": stood - started,
        "cpu": idle.cpu_seconds,
        "memory": memory,
        "memory speaking": speaking,
        "latency": dialled["latency"],
        "sessions": dialled["sessions"],
        "route": dialled["route"],
        "down": time.monotonic() - going,
    }
