"""What operating asks of a Prefect server: its pool, deployments and automations, and the runs that nobody works on."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import bgplab
from bgplab.errors import LabError

POOL = "bgp-local"
PROJECT = Path(bgplab.__file__).resolve().parents[1]
DEPLOYMENTS = PROJECT / "deployments"
DEPLOY_TIMEOUT_SECONDS = 180.0
BETWEEN_LOOKS_SECONDS = 0.5

Say = Callable[[str], None]


def register(say: Say) -> None:
    """Pool, deployments and automations on the server that the settings name. Repeatable. Raises LabError."""
    create_pool()
    say(f"work pool {POOL} is there")
    deploy()
    say(f"deployments are registered ({DEPLOYMENTS / 'prefect.yaml'})")
    for name in sorted(create_automations()):
        say(f"automation {name!r} is there")


def create_pool() -> None:
    """The process pool, open for work; one that exists keeps what somebody set in it."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
    from prefect.exceptions import ObjectAlreadyExists

    with get_client(sync_client=True) as client:
        try:
            client.create_work_pool(WorkPoolCreate(name=POOL, type="process", base_job_template=_process_template()))
        except ObjectAlreadyExists:
            client.update_work_pool(POOL, WorkPoolUpdate(is_paused=False))


def pause_pool() -> None:
    """No waiting run is handed out any more, until create_pool."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolUpdate

    with get_client(sync_client=True) as client:
        client.update_work_pool(POOL, WorkPoolUpdate(is_paused=True))


def _process_template() -> dict[str, object]:
    from prefect.workers.process import ProcessWorker

    return ProcessWorker.get_default_base_job_template()


def deploy() -> None:
    """`prefect deploy --all` of deployments/prefect.yaml. Raises LabError with its words."""
    file = str(DEPLOYMENTS / "prefect.yaml")
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", file],
        cwd=PROJECT,
        env={**os.environ, "PWD": str(PROJECT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEPLOY_TIMEOUT_SECONDS,
    )
    if done.returncode:
        raise LabError(f"prefect deploy ended with {done.returncode}: {(done.stdout + done.stderr).strip()[-1500:]}")


def create_automations() -> set[str]:
    """Those of deployments/automations/, each replaced when there is one of its name already; their names."""
    import yaml
    from prefect.client.orchestration import get_client
    from prefect.events.schemas.automations import AutomationCore

    names = set()
    with get_client(sync_client=True) as client:
        for file in sorted((DEPLOYMENTS / "automations").glob("*.yaml")):
            automation = AutomationCore.model_validate(yaml.safe_load(file.read_text()))
            for old in client.read_automations_by_name(automation.name):
                client.delete_automation(old.id)
            client.create_automation(automation)
            names.add(automation.name)
    return names


def end_runs(pid: int, patience_seconds: float, say: Say) -> list[int]:
    """Cancel what the worker `pid` runs, and wait until its flows have cleaned up; processes that are left over.

    A worker that is simply stopped would kill its flows and leave their runs Running (no `finally`, no hook).
    """
    from prefect.states import Cancelling

    until = time.monotonic() + patience_seconds
    told: set[str] = set()
    while (processes := {run: process for run, process in _running() if _descends(process, pid)}) and (
        time.monotonic() < until
    ):
        for run, name in processes:
            if name not in told:
                say(f"flow run {name} is cancelled, so that it takes its lab down")
                _set_state(run, Cancelling(message="bgp-lab serve ends"))
                told.add(name)
        time.sleep(BETWEEN_LOOKS_SECONDS)
    return list(processes.values())


def give_up_runs(why: str, say: Say) -> None:
    """Runs of the pool that are under way in name only become Crashed: to be called when it has no worker."""
    from prefect.states import Crashed

    for run, name in _unfinished():
        _set_state(run, Crashed(message=why), force=True)
        say(f"flow run {name} is Crashed: {why}")


def _running() -> list[tuple[tuple[str, str], int]]:
    """Id and name, and the process on this machine, of the runs under way."""
    found = []
    for run, name, infrastructure in _read_runs(("RUNNING", "PENDING", "CANCELLING")):
        host, _, process = (infrastructure or "").rpartition(":")
        if process.isdigit() and host in ("", socket.gethostname()):
            found.append(((run, name), int(process)))
    return found


def _unfinished() -> list[tuple[str, str]]:
    return [(run, name) for run, name, _ in _read_runs(("RUNNING", "PENDING", "CANCELLING"))]


def _read_runs(states: Collection[str]) -> Sequence[tuple[str, str, str | None]]:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterState,
        FlowRunFilterStateType,
        WorkPoolFilter,
        WorkPoolFilterName,
    )
    from prefect.client.schemas.objects import StateType

    wanted = FlowRunFilterStateType(any_=[StateType(state) for state in states])
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=wanted)),
            work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[POOL])),
        )
    return [(str(run.id), run.name, run.infrastructure_pid) for run in runs]


def _set_state(run: str, state: object, *, force: bool = False) -> None:
    from uuid import UUID

    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        client.set_flow_run_state(UUID(run), state, force=force)  # type: ignore[arg-type]


def _descends(process: int, ancestor: int) -> bool:
    """Whether a process of this machine has another one among its parents (proc(5), field 4 of stat)."""
    while process > 1:
        if process == ancestor:
            return True
        try:
            stat = Path(f"/proc/{process}/stat").read_text()
        except OSError:
            return False
        process = int(stat.rpartition(")")[2].split()[1])
    return False
