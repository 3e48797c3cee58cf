"""How long a lab takes to come and go, in a warm process and from a cold shell."""

from __future__ import annotations

import time

from benchmarks.processes import usage_of
from benchmarks.record import Row, Table, judged
from benchmarks.settings import BGP_LAB, Session, Taking
from benchmarks.statistics import Series
from bgplab.backends.embedded import launch
from bgplab.spec.loading import load_lab
from bgplab.spec.model import LabSpec

KEY = "up"
NAME = "bench-up"


def measure(session: Session) -> Table:
    taking = Taking(KEY, "Up and down")
    spec = load_lab("guide")
    _up_and_down(spec)  # fills caches: files, byte code
    seen: dict[str, list[float]] = {}
    for number in range(session.rounds):
        taken = {
            **_up_and_down(spec),
            "up cold": session.timed([str(BGP_LAB), "up", "--name", NAME]),
            "down cold": session.timed([str(BGP_LAB), "down", "--name", NAME]),
            "help": session.timed([str(BGP_LAB), "--help"]),
        }
        for name, value in taken.items():
            seen.setdefault(name, []).append(value)
        session.say(f"up: round {number + 1}: {taken['up']:.2f} s, cold {taken['up cold']:.2f} s")
    of = {name: Series(tuple(values)) for name, values in seen.items()}
    why = "see “Where the time goes”: imports in the daemon's main thread"
    rows = [
        judged("`up` in process", of["up"], 1.5, why_not=why),
        Row("… until hosts are wired and FRR runs", (of["wired"],)),
        Row("… from there until API, controllers and agents run", (of["cluster"],)),
        Row("… from there until `up` returns (the lease)", (of["rest"],)),
        Row("… CPU time of the lab until then, all processes", (of["cpu"],)),
        judged("`bgp-lab up`, cold shell", of["up cold"], 2.5, why_not=why),
        judged("`down` in process", of["down"], 0.5),
        judged(
            "`bgp-lab down`, cold shell",
            of["down cold"],
            0.5,
            why_not="almost all of it is Python starting and importing",
        ),
        judged("`bgp-lab --help`", of["help"], 0.3, why_not="all of it is Python starting and importing"),
    ]
    return taking.table(("guide's lab",), rows, ["A cold shell is a new process; files are in the page cache."])


def _up_and_down(spec: LabSpec) -> dict[str, float]:
    phases: list[float] = []
    started = time.monotonic()
    lab = launch.up(spec, NAME, holder="benchmark", grace_seconds=1.0, say=lambda _: phases.append(time.monotonic()))
    stood = time.monotonic()
    try:
        cpu = usage_of(lab.record.pid).cpu_seconds
    finally:
        going = time.monotonic()
        lab.lease.release()
        launch.down(NAME)
    wired, cluster = phases[:2]
    return {
        "up": stood - started,
        "wired": wired - started,
        "cluster": cluster - wired,
        "rest": stood - cluster,
        "cpu": cpu,
        "down": time.monotonic() - going,
    }
