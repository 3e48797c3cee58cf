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

import click

from bgplab.cli.output import progress

Say = Callable[[str], None]

LOOPBACK = "127.0.0.1"
SERVER_START_SECONDS = 180.0
CANCEL_PATIENCE_SECONDS = 45.0  # Prefect's worker kills a flow 30 s after it was told to cancel

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
        address = named_server()
        own = address is None
        os.environ.update(
            {name: value for name, value in SETTINGS.items() if name not in os.environ}
            | {"BGPLAB_RESULTS": str(results), "BGPLAB_SITE": f"http://{LOOPBACK}:{site}"}
        )
        if address is None:
            address = closing.enter_context(_own_server(port, stop, say))
        else:
            refuse_silent_server(address)
        os.environ["PREFECT_API_URL"] = address
        if stop.is_set():
            return
        _work(address, site, own, stop, say)


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
def _own_server(port: int, stop: threading.Event, say: Say) -> Iterator[str]:
    """A Prefect server with a home of its own in the state directory, healthy; ended at the end."""
    from bgplab.lab.directory import state_directory
    from tasks.prefect_server import running_server

    home = Path(os.environ.setdefault("PREFECT_HOME", str(state_directory() / "prefect-server")))
    settings = {"PREFECT_SERVER_LOGGING_LEVEL": "WARNING"}
    with running_server(port, home, settings, ends_by=signal.SIGTERM) as server:
        say(f"Prefect server: starting (log: {server.log})")
        server.wait_healthy(SERVER_START_SECONDS, stop)
        say("Prefect server: healthy")
        yield server.address


def _work(address: str, site: int, own: bool, stop: threading.Event, say: Say) -> None:
    """Register, run a worker and wait. At the end its runs are cancelled first: so they take their labs down."""
    from bgplab.errors import LabError
    from bgplab.lab.directory import state_directory
    from tasks import operating
    from tasks.prefect_server import running_child

    if own:  # nobody else works for this server
        operating.give_up_runs("its worker had gone when bgp-lab serve started", say)
    operating.register(say)
    log = state_directory() / "worker.log"
    worker_start = [
        "worker",
        "start",
        "--pool",
        operating.POOL,
        "--name",
        f"bgp-lab-{os.getpid()}",
        "--type",
        "process",
    ]
    with running_child(["-m", "prefect", *worker_start], {}, log) as worker:
        say(f"worker: started (log: {log})")
        click.echo(_what_to_type(address, site))
        while not stop.wait(0.5):
            if worker.poll() is not None:
                raise LabError(f"the worker ended with {worker.returncode} (log: {log})")
        say("ending")
        if own:
            operating.pause_pool()
        for process in operating.end_runs(worker.pid, CANCEL_PATIENCE_SECONDS, say):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
    if own:
        operating.give_up_runs("bgp-lab serve ended", say)
    say("ended: no worker, no server, no lab of theirs")


def _what_to_type(address: str, site: int) -> str:
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
