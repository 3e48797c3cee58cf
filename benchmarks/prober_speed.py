"""New connections per second of the prober beside ab, wrk and hey, against the same nginx, in interleaved rounds."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping

from benchmarks import load_tools
from benchmarks.machine import ROOT
from benchmarks.record import Row, Table
from benchmarks.settings import Session, Taking
from benchmarks.statistics import Series

KEY = "prober"
ROUNDS, CONNECTIONS, CONCURRENCY = 9, 30_000, 32
#: The least ratio of the prober's connections per second to each tool's.
TARGETS = {"ab": 0.8, "wrk": 0.65, "hey": 1.0}


def measure(session: Session) -> Table:
    taking = Taking(KEY, "Prober beside ab, wrk and hey: a new connection for each request")
    load_tools.load_tools()
    rounds, connections = (3, 5_000) if session.quick else (ROUNDS, CONNECTIONS)
    argv = [sys.executable, "-m", "benchmarks.load_rounds", *map(str, (rounds, connections, CONCURRENCY))]
    done = subprocess.run(["unshare", "--net", *argv], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: exit {done.returncode}\n{done.stderr[-2000:]}")
    speeds: dict[str, list[float]] = {}
    costs: dict[str, list[float]] = {}
    for one in json.loads(done.stdout.splitlines()[-1]):
        speeds.setdefault(one["tool"], []).append(one["per_second"])
        costs.setdefault(one["tool"], []).append(one["cpu_us"])
    session.say(
        "prober: " + ", ".join(f"{tool} {Series(tuple(seen), '/s').median:.0f}/s" for tool, seen in speeds.items())
    )
    return taking.table(("connections per second", "CPU of the client, each"), rows_of(speeds, costs), _notes(rounds))


def rows_of(speeds: Mapping[str, list[float]], costs: Mapping[str, list[float]]) -> list[Row]:
    """A row per tool, then the prober's ratio to each, round by round: both sides of a ratio saw the same machine."""
    rows = [
        Row(tool, (Series(tuple(speeds[tool]), "/s"), Series(tuple(costs[tool]), "µs")))
        for tool in ("prober", *TARGETS)
    ]
    for tool, least in TARGETS.items():
        ratio = Series(tuple(ours / theirs for ours, theirs in zip(speeds["prober"], speeds[tool], strict=True)), "")
        cost = Series(tuple(ours / theirs for ours, theirs in zip(costs["prober"], costs[tool], strict=True)), "")
        met = ratio.median >= least
        why = "" if met else "see “Where the time goes”, the prober"
        rows.append(Row(f"prober by {tool}", (ratio, cost), f"≥ {least:g}", met, why))
    return rows


def _notes(rounds: int) -> list[str]:
    return [
        f"One nginx with one worker (a body like whoami's, {CONCURRENCY} at a time) in a network namespace, over its"
        f" loopback; {rounds} rounds, in each every tool once, in another order. {load_tools.versions()}.",
        "wrk (-t1, `Connection: close`) runs for 2 s, the others for the same count; hey is Go and takes both cores.",
        "Ratios are of the same round; their median is judged.",
        "The prober keeps a record of every connection and knows its source port; the others keep sums. CPU is all of a"
        " process, its start included.",
    ]
