"""The whole flow with all load tests, and Prefect's share: the same walk with and without it, in turn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.record import Row, Table, judged
from benchmarks.settings import BGP_LAB, Session, Taking
from benchmarks.statistics import Series

KEY = "flow"
NAME = "bench-flow"


def measure(session: Session) -> Table:
    taking = Taking(KEY, "The whole flow, G01–G30 with all load tests")
    session.say("flow: a first run, not counted: it makes Prefect's database")
    _flow()
    seen: dict[str, list[float]] = {}
    for number in range(session.rounds):
        whole, walk, verdict = _flow()
        plain_whole, plain_walk, plain_verdict = _plain()
        if {verdict, plain_verdict} != {"holds"}:
            raise RuntimeError(f"a run did not hold: flow {verdict}, plain walk {plain_verdict}")
        taken = {
            "flow": whole,
            "flow walk": walk,
            "plain": plain_whole,
            "plain walk": plain_walk,
            "prefect": whole - plain_whole,
            "inside": walk - plain_walk,
        }
        for name, value in taken.items():
            seen.setdefault(name, []).append(value)
        session.say(f"flow: round {number + 1}: {whole:.1f} s, without Prefect {plain_whole:.1f} s")
    of = {name: Series(tuple(values)) for name, values in seen.items()}
    rows = [
        judged("`bgp-lab run`, new process, ephemeral Prefect server, warm", of["flow"], 20.0, why_not=_WHY),
        Row("… of it the walk, from start to record", (of["flow walk"],)),
        Row("the same walk without Prefect, new process", (of["plain"],)),
        Row("… of it the walk, from provision to lab gone", (of["plain walk"],)),
        Row("Prefect's share: the difference of the two processes", (of["prefect"],)),
        Row("… of it within the walk", (of["inside"],)),
    ]
    notes = [
        "Warm: Prefect's database exists. Each run brings its own lab up and takes it down, and all 30 checks hold."
    ]
    return taking.table(("guide's lab",), rows, notes)


_WHY = "see the walk without Prefect and Prefect's share below it"


def _flow() -> tuple[float, float, str]:
    """Seconds of the whole command, seconds of the walk by its own record, verdict."""
    started = time.monotonic()
    done = subprocess.run(
        [str(BGP_LAB), "run", "--name", NAME, "--json"], capture_output=True, text=True, check=False, env=_environment()
    )
    whole = time.monotonic() - started
    try:
        facts = json.loads(done.stdout)
    except json.JSONDecodeError:
        raise RuntimeError(f"bgp-lab run: exit {done.returncode}: {done.stderr[-2000:]}") from None
    if facts["verdict"] != "holds":
        bad = [(one["id"], one["verdict"], one["reason"]) for one in facts["checks"] if one["verdict"] != "holds"]
        raise RuntimeError(f"the flow's verdict is {facts['verdict']}: {bad}")
    run = json.loads((Path(facts["results"]) / "run.json").read_text())
    return whole, float(run["seconds"]), facts["verdict"]


def _plain() -> tuple[float, float, str]:
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.plain_walk", NAME],
        capture_output=True,
        text=True,
        check=False,
        env=_environment(),
    )
    whole = time.monotonic() - started
    if done.returncode != 0:
        raise RuntimeError(f"the walk without Prefect: {done.stderr[-2000:]}")
    seconds, verdict = done.stdout.split()
    return whole, float(seconds), verdict


def _environment() -> dict[str, str]:
    """No Prefect server but the run's own."""
    return {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
