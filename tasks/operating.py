"""What operating asks of a Prefect server: its pool, deployments and automations, and the runs that nobody works on."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import bgplab
from bgplab.errors import LabError

POOL = "bgp-local"
PROJECT = Path(bgplab.__file__).resolve().parents[1]
DEPLOYMENTS = PROJECT / "deployments"
DEPLOY_TIMEOUT_SECONDS = 180.0
BETWEEN_LOOKS_SECONDS = 0.5

#: By these Prefect says which worker started a flow's process (environment), and which one has a run (label).
WORKER_VARIABLE = "PREFECT__WORKER_NAME"
WORKER_LABEL = "prefect.worker.name"

Say = Callable[[str], None]
Named = tuple[str, str]  # a flow run's id and its name


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


def end_runs(worker: str, patience_seconds: float, say: Say) -> list[int]:
    """Cancel what a worker runs, and wait until its flows have cleaned up; processes that are left over.

    A worker that is simply stopped would kill its flows and leave their runs Running (no `finally`, no hook). It must
    also live on until it has reported the runs as Cancelled, a second or so after their processes have ended.
    """
    from prefect.states import Cancelling

    told: set[str] = set()

    def cancel_and_look() -> bool:
        unfinished = unfinished_runs(worker)
        for run, name in unfinished:
            if run not in told:
                say(f"flow run {name} is cancelled, so that it takes its lab down")
                _set_state(run, Cancelling(message="bgp-lab serve ends"))
                told.add(run)
        return not unfinished and not processes_of(worker)

    _wait_until(cancel_and_look, patience_seconds)
    return processes_of(worker)


def end_processes(worker: str, patience_seconds: float, say: Say) -> list[int]:
    """The same where nobody is left to carry a cancellation out: no worker, or no server; processes left over.

    Prefect's engine takes SIGTERM for a crash: the flow is unwound, so the lab goes, and what was seen is written.
    """
    for process in processes_of(worker):
        say(f"flow process {process} is told to end, so that it takes its lab down")
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGTERM)
    _wait_until(lambda: not processes_of(worker), patience_seconds)
    return processes_of(worker)


def _wait_until(so: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not so() and time.monotonic() < until:
        time.sleep(BETWEEN_LOOKS_SECONDS)


def processes_of(worker: str) -> list[int]:
    """Flow processes that a worker of this name has started on this machine; they may have outlived it."""
    mark = f"{WORKER_VARIABLE}={worker}".encode()
    found = []
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit():
            with contextlib.suppress(OSError):  # it has ended, or is another user's
                if mark in (directory / "environ").read_bytes().split(b"\0"):
                    found.append(int(directory.name))
    return found


def give_up_runs(why: str, say: Say, runs: Iterable[Named] | None = None) -> None:
    """Runs that are under way in name only become Crashed: to be called when nobody works on them any more.

    runs: all of the pool when None. One that has ended well or badly meanwhile stays as it is; of one that says it
    crashed, this is the reason. It frees the slot of their deployment, too.
    """
    from prefect.states import Crashed

    for run, name in unfinished_runs() if runs is None else runs:
        if _state_of(run) not in ("COMPLETED", "FAILED", "CANCELLED"):
            _set_state(run, Crashed(message=why), force=True)
            say(f"flow run {name} is Crashed: {why}")


def unfinished_runs(worker: str | None = None) -> list[Named]:
    """The pool's runs that a worker has taken and that have not ended; of one worker when named."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterState,
        FlowRunFilterStateType,
        WorkPoolFilter,
        WorkPoolFilterName,
    )
    from prefect.client.schemas.objects import StateType

    wanted = FlowRunFilterStateType(any_=[StateType.RUNNING, StateType.PENDING, StateType.CANCELLING])
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=wanted)),
            work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[POOL])),
        )
    return [(str(run.id), run.name) for run in runs if worker is None or run.labels.get(WORKER_LABEL) == worker]


def _state_of(run: str) -> str | None:
    from uuid import UUID

    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        state = client.read_flow_run(UUID(run)).state
    return state.type.value if state else None


def _set_state(run: str, state: object, *, force: bool = False) -> None:
    from uuid import UUID

    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        client.set_flow_run_state(UUID(run), state, force=force)  # type: ignore[arg-type]
