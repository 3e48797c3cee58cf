"""serve, deploy: bgp-lab operated with Prefect, on a server of its own or on one that runs already."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from bgplab.cli.output import progress

if TYPE_CHECKING:
    import subprocess

    from tasks.prefect_server import Server

Say = Callable[[str], None]

LOOPBACK = "127.0.0.1"
SERVER_START_SECONDS = 180.0
CANCEL_PATIENCE_SECONDS = 45.0  # Prefect's worker kills a flow 30 s after it was told to cancel
END_PATIENCE_SECONDS = 20.0  # for a lab to go and a report to be written; after that a flow only waits for its server

#: Nothing calls home; runs are taken up within a second instead of ten.
SETTINGS = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_WORKER_QUERY_SECONDS": "1",
    "PREFECT_LOGGING_EXTRA_LOGGERS": "bgplab",
}


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=4200, show_default=True, help="Of Prefect; 0: any.")
@click.option("--site-port", type=click.IntRange(0, 65535), default=4280, show_default=True, help="Of reports; 0: any.")
def serve(port: int, site_port: int) -> None:
    """Start a Prefect server, a worker and a site for reports on loopback; register the deployments; wait for Ctrl-C.

    Uses the server that PREFECT_API_URL (or the active Prefect profile) names instead of one of its own, if it does.
    """
    from tasks.records import results_directory

    say = progress()
    results = results_directory()
    results.mkdir(parents=True, exist_ok=True)
    with stop_requests() as stop, contextlib.ExitStack() as closing:
        site = closing.enter_context(_open_site(results, site_port))
        address, server = named_server(), None
        os.environ.update(
            {name: value for name, value in SETTINGS.items() if name not in os.environ}
            | {"BGPLAB_RESULTS": str(results), "BGPLAB_SITE": f"http://{LOOPBACK}:{site}"}
        )
        if address is None:
            server = closing.enter_context(_own_server(port, stop, say))
            address = server.address
        else:
            refuse_silent_server(address)
        os.environ["PREFECT_API_URL"] = address
        if stop.is_set():
            return
        _work(address, site, server, stop, say)


@click.command()
def deploy() -> None:
    """Register pool, deployments and automations on the Prefect server that PREFECT_API_URL (or a profile) names."""
    from bgplab.errors import InputError

    say = progress()
    address = named_server()
    if address is None:
        raise InputError(
            "PREFECT_API_URL",
            "is not set, nor does a Prefect profile set it",
            "deployments are registered on a server that runs already",
            "export PREFECT_API_URL=http://127.0.0.1:4200/api, or start everything here: make serve",
        )
    os.environ.update({name: value for name, value in SETTINGS.items() if name not in os.environ})
    os.environ["PREFECT_API_URL"] = address
    refuse_silent_server(address)
    from tasks import operating

    operating.register(say)
    click.echo(f"registered on {address}; a worker takes runs: prefect worker start --pool {operating.POOL}")


def named_server() -> str | None:
    """The server that the environment or the active Prefect profile names; None without one."""
    if given := os.environ.get("PREFECT_API_URL"):
        return given.rstrip("/")
    home = Path(os.environ.get("PREFECT_HOME") or Path.home() / ".prefect")
    if not (home / "profiles.toml").is_file():
        return None  # without importing Prefect, which would make its home
    from prefect.settings import get_current_settings

    return get_current_settings().api.url


def refuse_silent_server(address: str, *, seconds: float = 10.0) -> None:
    """Raises InputError when nothing answers at the address that somebody named."""
    from bgplab.errors import InputError
    from tasks.prefect_server import is_healthy

    until = time.monotonic() + seconds
    while not is_healthy(address):
        if time.monotonic() > until:
            raise InputError(
                "PREFECT_API_URL",
                f"nothing answers at {address}/health within {seconds:.0f} s",
                "deployments and runs are kept by a Prefect server",
                "start it, or correct the address (it ends in /api)",
            )
        time.sleep(0.2)


@contextlib.contextmanager
def stop_requests() -> Iterator[threading.Event]:
    """SIGINT and SIGTERM set the event; a second one breaks off whatever is waited for."""
    asked = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _open_site(results: Path, port: int) -> Iterator[int]:
    """The results directory, served; gives the port. Raises InputError when it is taken."""
    from dashboards.site import running_site

    _refuse_taken(port, "--site-port")
    with running_site(results, port) as found:
        yield found


def _refuse_taken(port: int, option: str) -> None:
    """Raises InputError when something listens there already."""
    from bgplab.errors import InputError

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as fault:
            raise InputError(
                option,
                f"port {port} cannot be had: {fault.strerror}",
                "another `bgp-lab serve` or Prefect server may have it",
                f"choose another with {option}, or use that server: export PREFECT_API_URL=http://{LOOPBACK}:{port}/api",
            ) from fault


@contextlib.contextmanager
def _own_server(port: int, stop: threading.Event, say: Say) -> Iterator[Server]:
    """A Prefect server with a home of its own in the state directory, healthy; ended at the end."""
    from bgplab.lab.directory import state_directory
    from tasks.prefect_server import running_server

    home = Path(os.environ.setdefault("PREFECT_HOME", str(state_directory() / "prefect-server")))
    settings = {"PREFECT_SERVER_LOGGING_LEVEL": "WARNING"}
    with running_server(port, home, settings, ends_by=signal.SIGTERM) as server:
        say(f"Prefect server: starting (log: {server.log})")
        server.wait_healthy(SERVER_START_SECONDS, stop)
        say("Prefect server: healthy")
        yield server


def _work(address: str, site: int, server: Server | None, stop: threading.Event, say: Say) -> None:
    """Register, run a worker and wait until a stop is asked for. At the end its runs end first: they take labs down.

    server: our own; None when it is somebody else's. Raises LabError when worker or server ended by themselves.
    """
    from bgplab.errors import LabError
    from bgplab.lab.directory import state_directory
    from tasks import operating
    from tasks.prefect_server import is_healthy, running_child

    if server:  # nobody else works for it
        operating.give_up_runs("its worker had gone when bgp-lab serve started", say)
    operating.register(say)
    log, name = state_directory() / "worker.log", f"bgp-lab-{os.getpid()}"
    start = ["worker", "start", "--pool", operating.POOL, "--name", name, "--type", "process"]
    with running_child(["-m", "prefect", *start], {}, log) as worker:
        say(f"worker: started (log: {log})")
        click.echo(what_to_type(address, site))
        needed = {"worker": (worker, log)} | ({"Prefect server": (server.process, server.log)} if server else {})
        trouble = ""
        while not trouble and not stop.wait(0.5):
            trouble = "".join(_that_it_ended(what, *one) for what, one in needed.items())
        say(f"{trouble}; ending" if trouble else "ending")
        answers = is_healthy(address)
        under_way = operating.unfinished_runs(name) if answers else []
        _end_runs(name, in_order=answers and not trouble, ours=server is not None, say=say)
    if answers:
        why = trouble or "bgp-lab serve ended"
        operating.give_up_runs(why, say, under_way)
        if server:  # what its worker had taken, but not put its name to
            operating.give_up_runs(why, say)
    if trouble:
        raise LabError(trouble)
    say("ended: no worker, no server, no lab of theirs")


def _that_it_ended(what: str, process: subprocess.Popen[bytes], log: Path) -> str:
    """That a process has ended, in words; empty while it lives."""
    return "" if process.poll() is None else f"the {what} ended with {process.returncode} (log: {log})"


def _end_runs(worker: str, *, in_order: bool, ours: bool, say: Say) -> None:
    """End a worker's runs. in_order: worker and server, ours or not, are there to carry cancellations out."""
    from tasks import operating

    if in_order:
        if ours:
            operating.pause_pool()
        left = operating.end_runs(worker, CANCEL_PATIENCE_SECONDS, say)
    else:
        left = operating.end_processes(worker, END_PATIENCE_SECONDS, say)
    for process in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def what_to_type(address: str, site: int) -> str:
    """What serve prints when it is ready. site: the port of reports."""
    interface = address.removesuffix("/api")
    lines = [
        f"Prefect:  {interface}",
        f"reports:  http://{LOOPBACK}:{site}",
        "run it:   " + f"PREFECT_API_URL={address} prefect deployment run bgp-lab/embedded --watch",
        "others:   bgp-lab/five-nodes, bgp-lab/two-routers, failover/events, cluster-mesh/cluster-mesh,",
        "          revalidate/standing",
        "end it:   Ctrl-C",
    ]
    return "\n".join(lines)
