"""SIGKILL at any moment leaves nothing: no process, interface, mount, route, sysctl, port or list entry."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from machine_state import MachineState
from marked import Marked

from bgplab.backends.embedded import launch
from bgplab.lab import directory as labs
from bgplab.lab.waiting import Deadline, wait_until
from bgplab.spec.model import LabSpec

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.alone]

OWNER = """
import sys
from bgplab.backends.embedded import launch
from bgplab.spec.loading import load_lab
started = launch.up(load_lab("guide"), sys.argv[1], holder="owner", grace_seconds=float(sys.argv[2]), say=print)
print("up", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def before() -> MachineState:
    return MachineState.now()


def nothing_is_left(before: MachineState, within_seconds: float = 15) -> None:
    left: Callable[[], dict[str, list[object]]] = lambda: MachineState.now().left_by(before)  # noqa: E731
    wait_until(left, lambda seen: not seen, Deadline.after(within_seconds), "nothing left on the machine")


def daemon_of(pid1: int) -> int:
    return int(Path(f"/proc/{pid1}/task/{pid1}/children").read_text().split()[0])


@pytest.fixture
def owner() -> Iterator[Callable[[str, float], subprocess.Popen[str]]]:
    """A process of its own that brings a lab up and then waits."""
    started: list[subprocess.Popen[str]] = []

    def start(name: str, grace_seconds: float) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", OWNER, name, str(grace_seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def until_up(process: subprocess.Popen[str]) -> None:
    assert process.stdout
    for line in process.stdout:
        if line == "up\n":
            return
    raise AssertionError("the owner's lab did not come up")


@pytest.mark.parametrize("victim", ["pid1", "daemon"])
def test_a_killed_daemon_takes_its_lab_with_it_at_once(guide: LabSpec, before: MachineState, victim: str) -> None:
    name = f"kill-{victim}"
    started = launch.up(guide, name, holder="test")
    started.lease.keep()
    os.kill(started.record.pid if victim == "pid1" else daemon_of(started.record.pid), signal.SIGKILL)
    started.lease.release()
    nothing_is_left(before)
    assert name not in [record.name for record in labs.standing_labs()]


def test_a_killed_owner_takes_its_lab_with_it_after_the_grace(
    owner: Callable[[str, float], subprocess.Popen[str]], before: MachineState
) -> None:
    process = owner("kill-owner", 1.0)
    until_up(process)
    process.kill()
    process.wait()
    nothing_is_left(before)
    assert "kill-owner" not in [record.name for record in labs.standing_labs()]


def test_a_child_that_outlives_the_owner_does_not_keep_the_lab(before: MachineState, guide: LabSpec) -> None:
    pid = os.fork()
    if pid == 0:
        launch.up(guide, "kill-forked", holder="forked owner", grace_seconds=1.0)
        if os.fork() == 0:
            time.sleep(30)
        os._exit(0)
    os.waitpid(pid, 0)
    try:
        nothing_is_left(before)
    finally:
        subprocess.run(["pkill", "-KILL", "-P", "1", "-f", "kill-forked"], check=False)


@pytest.mark.parametrize("moment", range(10))
def test_an_owner_killed_at_a_random_moment_of_starting_leaves_nothing(
    owner: Callable[[str, float], subprocess.Popen[str]], before: MachineState, moment: int, guide: LabSpec
) -> None:
    name = f"kill-early-{moment}"
    process = owner(name, 0.5)
    time.sleep(random.Random(moment).uniform(0.3, 2.5))  # the moment itself is what is tried here
    process.kill()
    process.wait()
    nothing_is_left(before, 25)
    again = launch.up(guide, name, holder="next run")
    assert not again.already
    again.lease.release()
    launch.down(name)
    nothing_is_left(before)


def test_down_leaves_nothing(guide: LabSpec, before: MachineState) -> None:
    launch.up(guide, "down-leaves-nothing", holder="test").lease.release()
    assert launch.down("down-leaves-nothing")
    nothing_is_left(before)
    assert not labs.lab_directory("down-leaves-nothing").exists()


def test_two_labs_stand_side_by_side_with_the_same_addresses(guide: LabSpec, before: MachineState) -> None:
    one = launch.up(guide, "side-one", holder="test")
    two = launch.up(guide, "side-two", holder="test")
    assert {"side-one", "side-two"} <= {record.name for record in labs.standing_labs()}
    for started in (one, two):
        started.lease.release()
        launch.down(started.record.name)
    nothing_is_left(before)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("step", ["G22"])  # earlier moments: test_kills_of_runs.py
def test_a_run_killed_half_way_leaves_nothing_and_the_next_one_holds(
    before: MachineState, step: str, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "bgplab.cli.main", "run", "--name", f"kill-{step.lower()}", "--grace", "1"]
    environment = {**os.environ, "BGPLAB_RESULTS": str(tmp_path), "PREFECT_HOME": str(tmp_path / "prefect")}
    process = subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True
    )
    assert process.stderr
    for line in process.stderr:
        if f" {step} " in line:
            break
    process.kill()  # itself only: Prefect's own server of this run must notice
    process.wait()
    wait_until(Marked(tmp_path).processes, lambda seen: not seen, Deadline.after(30), "no process of the run left")
    nothing_is_left(before, 30)
    again = subprocess.run([*command, "--json"], env=environment, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr[-3000:]
    nothing_is_left(before)
