"""SIGKILL at ten moments of a run, to its lab's daemon, to the run itself, and to the worker that runs it.

The moments are spread over the whole length of a run (one tenth each, chosen at random in it from a fixed seed), as
measured by a run that is left alone. After each kill nothing may be left once the grace is over; after all of them the
next run under the same name is green.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from machine_state import MachineState
from marked import NO_TRACES, Marked, Traces

from bgplab.backends.embedded.hosts.userland import cache_directory
from bgplab.lab.waiting import Deadline, wait_until
from tasks.prefect_server import running_server

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(600)]

UNTIL = "G07"  # an application runs and the router is configured; later steps only make a run longer
GRACE_SECONDS = 1.0
GONE_SECONDS = 30.0  # the grace, and what a busy machine needs to notice and to end a Prefect server
RUN_SECONDS = 180.0
MOMENTS = range(10)
SIGHT_SECONDS = 2.0  # between looks at what there is: each costs what it measures
MACHINE_WIDE = ("interfaces", "mounts", "routes", "sysctls", "rules")


@dataclass
class Place:
    """A directory of this module's, marked; what was on the machine before; and all traces seen of what runs in it."""

    marked: Marked
    before: MachineState = field(default_factory=MachineState.now)
    traces: Traces = NO_TRACES

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("BGPLAB_", "PREFECT_"))}
        here = self.marked.directory
        return kept | {
            "BGPLAB_CACHE": str(cache_directory()),
            "BGPLAB_STATE": str(here / "state"),
            "BGPLAB_RESULTS": str(here / "results"),
            "PREFECT_HOME": str(here / "prefect"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
        }

    def watch_for(self, seconds: float) -> None:
        """Let time pass until the moment, noting what there is to be left over."""
        until = time.monotonic() + seconds
        while True:
            left = until - time.monotonic()
            time.sleep(max(0.0, min(left, SIGHT_SECONDS)))
            self.traces |= self.marked.traces()
            if left <= SIGHT_SECONDS:
                return

    def nothing_is_left(self) -> None:
        look: Callable[[], dict[str, object]] = lambda: self.marked.left(self.traces)  # noqa: E731
        wait_until(look, lambda seen: not seen, Deadline.after(GONE_SECONDS), "nothing left of what was killed")
        news = MachineState.now().left_by(self.before)
        assert {name: what for name, what in news.items() if name in MACHINE_WIDE} == {}
        self.traces = NO_TRACES


def moment(seed: str, number: int, seconds: float) -> float:
    """A random moment of the run's tenth of this number."""
    return (number + random.Random(f"{seed} {number}").random()) / len(MOMENTS) * seconds


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    here = Place(Marked(tmp_path_factory.mktemp("killed")))
    yield here
    for pid in here.marked.processes():  # of a test that failed
        os.kill(pid, signal.SIGKILL)


@contextmanager
def running(place: Place, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """`bgp-lab run` as a process of its own."""
    words = ["run", "--name", name, "--until", UNTIL, "--grace", str(GRACE_SECONDS), "--json"]
    log = place.marked.directory / f"{name}.log"
    with open(log, "wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "bgplab.cli.main", *words],
            env=place.environment,
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)


def green_run(place: Place, name: str) -> tuple[float, float]:
    """Seconds of a run that is left alone, and those after which its daemon was there."""
    began = time.monotonic()
    with running(place, name) as process:
        wait_until(place.marked.daemon, lambda pid: pid is not None, Deadline.after(RUN_SECONDS), "the lab's daemon")
        born = time.monotonic() - began
        status = process.wait(RUN_SECONDS)
    assert status == 0, (place.marked.directory / f"{name}.log").read_text()[-3000:]
    seconds = time.monotonic() - began
    place.nothing_is_left()
    return seconds, born


@pytest.fixture(scope="module")
def length(place: Place) -> tuple[float, float]:
    return green_run(place, "kill-flow")


@pytest.mark.parametrize("number", MOMENTS)
def test_a_run_killed_at_any_moment_leaves_nothing(place: Place, length: tuple[float, float], number: int) -> None:
    with running(place, "kill-flow") as process:
        place.watch_for(moment("flow", number, length[0]))
        process.kill()  # itself only: what it started must notice
        process.wait(10)
        place.nothing_is_left()


def test_after_ten_kills_of_runs_the_next_run_is_green(place: Place, length: tuple[float, float]) -> None:
    green_run(place, "kill-flow")


@pytest.mark.parametrize("number", MOMENTS)
def test_a_daemon_killed_at_any_moment_ends_its_run_and_leaves_nothing(
    place: Place, length: tuple[float, float], number: int
) -> None:
    seconds, born = length
    with running(place, "kill-daemon") as process:
        find: Callable[[], int | None] = lambda: place.marked.daemon() or (-1 if process.poll() is not None else None)  # noqa: E731
        wait_until(find, lambda pid: pid is not None, Deadline.after(RUN_SECONDS), "the lab's daemon")
        place.watch_for(moment("daemon", number, seconds - born))
        victim = place.marked.daemon()
        if victim is not None:  # in the last tenth the run may have taken its lab down already
            os.kill(victim, signal.SIGKILL)
        status = process.wait(RUN_SECONDS)
    said = (place.marked.directory / "kill-daemon.log").read_text()
    assert status in (1, 4) or (status == 0 and "lab kill-daemon is gone" in said), (status, said[-3000:])
    place.nothing_is_left()


def test_after_ten_kills_of_daemons_the_next_run_is_green(place: Place, length: tuple[float, float]) -> None:
    green_run(place, "kill-daemon")


@dataclass(frozen=True)
class Server:
    """A Prefect server that stands through the kills, outside the place."""

    api: str

    def ask(self, path: str, body: object = None, method: str | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.api}{path}", data, {"content-type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            said = answer.read()
        return json.loads(said) if said else None

    def start_run(self) -> str:
        """Ask for a run of the deployment; without its limit, for a killed run's slot is held for five minutes."""
        deployment = self.ask("/deployments/name/bgp-lab/embedded")["id"]
        self.ask(f"/deployments/{deployment}", {"concurrency_limit": None}, "PATCH")
        parameters = {"name": "kill-worker", "until": UNTIL, "backend_options": {"grace_seconds": GRACE_SECONDS}}
        body = {"parameters": parameters, "state": {"type": "SCHEDULED"}}
        id: str = self.ask(f"/deployments/{deployment}/create_flow_run", body)["id"]
        return id

    def state_of(self, run: str) -> str:
        state: str = self.ask(f"/flow_runs/{run}")["state"]["type"]
        return state


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("server")
    with running_server(0, home, {"PREFECT_SERVER_LOGGING_LEVEL": "WARNING"}, ends_by=signal.SIGKILL) as started:
        started.wait_healthy(RUN_SECONDS)
        yield Server(started.address)


@dataclass
class Serving:
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def said(self) -> str:
        return self.log.read_text()


@contextmanager
def serving(place: Place, server: Server) -> Iterator[Serving]:
    """`bgp-lab serve` for that server, with its worker at work."""
    log = place.marked.directory / "serve.log"
    with open(log, "wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "bgplab.cli.main", "serve", "--site-port", "0"],
            env=place.environment | {"PREFECT_API_URL": server.api},
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    one = Serving(process, log)
    try:
        wait_until(lambda: one.said, lambda said: "end it:" in said, Deadline.after(RUN_SECONDS), "serve is ready")
        yield one
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(90)


def worker_of(place: Place, process: int) -> int:
    (found,) = (
        pid for pid, command in place.marked.processes().items() if re.search(r"prefect worker start", command)
        if pid in _children(process)
    )  # fmt: skip
    return found


def _children(pid: int) -> list[int]:
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def green_deployment_run(place: Place, server: Server) -> float:
    """Seconds from asking for a run of the deployment until it has ended well."""
    with serving(place, server):
        began = time.monotonic()
        run = server.start_run()
        ended: Callable[[], str] = lambda: server.state_of(run)  # noqa: E731
        final = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
        state = wait_until(ended, lambda now: now in final, Deadline.after(RUN_SECONDS), "the run's end")
        seconds = time.monotonic() - began
        assert state == "COMPLETED"
    place.nothing_is_left()
    return seconds


@pytest.fixture(scope="module")
def run_length(place: Place, server: Server) -> float:
    return green_deployment_run(place, server)


@pytest.mark.parametrize("number", MOMENTS)
def test_a_worker_killed_at_any_moment_of_a_run_leaves_nothing(
    place: Place, server: Server, run_length: float, number: int
) -> None:
    with serving(place, server) as served:
        run = server.start_run()
        place.watch_for(moment("worker", number, run_length))
        if number >= len(MOMENTS) // 2:
            assert server.state_of(run) != "SCHEDULED"  # queued behind a run that was killed
        os.kill(worker_of(place, served.process.pid), signal.SIGKILL)
        assert served.process.wait(90) == 4
        assert "the worker ended with -9" in served.said
        assert server.state_of(run) not in ("RUNNING", "CANCELLING")  # else nobody would ever say that it ended
    place.nothing_is_left()


def test_after_ten_kills_of_workers_the_next_run_is_green(place: Place, server: Server, run_length: float) -> None:
    green_deployment_run(place, server)
