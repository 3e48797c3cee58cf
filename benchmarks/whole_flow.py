"""The whole flow with all load tests, and Prefect's share: the same walk with and without it, in turn.

With Prefect in two ways: the run's own (ephemeral) server, as `bgp-lab run` has it on a machine without one, and a
server that stands already, as with `make serve`.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
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
    with _standing_server() as address:
        _flow(PREFECT_API_URL=address)
    seen: dict[str, list[float]] = {}
    for number in range(session.rounds):
        plain_whole, plain_walk = _plain()
        whole, walk = _flow()
        with _standing_server() as address:
            standing, _ = _flow(PREFECT_API_URL=address)
        taken = {
            "flow": whole,
            "standing": standing,
            "flow walk": walk,
            "plain": plain_whole,
            "plain walk": plain_walk,
            "prefect": whole - plain_whole,
            "prefect standing": standing - plain_whole,
        }
        for name, value in taken.items():
            seen.setdefault(name, []).append(value)
        session.say(
            f"flow: round {number + 1}: {whole:.1f} s, with a standing server {standing:.1f} s,"
            f" without Prefect {plain_whole:.1f} s"
        )
    of = {name: Series(tuple(values)) for name, values in seen.items()}
    rows = [
        judged("`bgp-lab run`, new process, ephemeral Prefect server, warm", of["flow"], 20.0, why_not=_WHY),
        Row("… of it the walk, from start to record", (of["flow walk"],)),
        judged("`bgp-lab run`, new process, a Prefect server that stands already", of["standing"], 20.0, why_not=_WHY),
        Row("the same walk without Prefect, new process", (of["plain"],)),
        Row("… of it the walk, from provision to lab gone", (of["plain walk"],)),
        Row("Prefect's share with its own server (difference of the processes)", (of["prefect"],)),
        Row("Prefect's share with a standing server", (of["prefect standing"],)),
    ]
    notes = [
        "Warm: Prefect's database exists. Each run brings its own lab up and takes it down, and all 30 checks hold."
    ]
    return taking.table(("guide's lab",), rows, notes)


_WHY = "the walk alone is longer than that, and Prefect comes on top: see “Where the time goes”, the whole flow"


@contextlib.contextmanager
def _standing_server() -> Iterator[str]:
    """A Prefect server with the same database, ready; its API's address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(BGP_LAB.parent / "prefect"), "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=_environment())
    try:
        address = f"http://127.0.0.1:{port}/api"
        _wait_healthy(f"{address}/health")
        yield address
    finally:
        server.terminate()
        server.wait(30)


def _wait_healthy(address: str) -> None:
    end = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def _flow(**environment: str) -> tuple[float, float]:
    """Seconds of the whole command, seconds of the walk by its own record. Raises RuntimeError unless all holds."""
    started = time.monotonic()
    environment = {**_environment(), **environment}
    done = subprocess.run(
        [str(BGP_LAB), "run", "--name", NAME, "--json"], capture_output=True, text=True, check=False, env=environment
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
    return whole, float(run["seconds"])


def _plain() -> tuple[float, float]:
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
    if verdict != "holds":
        raise RuntimeError(f"the walk without Prefect: {verdict}")
    return whole, float(seconds)


def _environment() -> dict[str, str]:
    """No Prefect server but the run's own."""
    return {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
