"""A Prefect API server as a child process, on a socket that is bound before it starts.

So there is no moment at which somebody else could take the port, requests wait in the backlog until the server is
there, and the one who started it can import Prefect meanwhile. Prefect's own temporary server does none of this, is
started only after the client has imported the whole of the server, and survives a SIGKILL of its owner.

`python -m tasks.prefect_server FD` is the child itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bgplab.errors import InputError, LabError

LOOPBACK = "127.0.0.1"
END_PATIENCE_SECONDS = 10.0
PR_SET_PDEATHSIG = 1

#: Prefect's own names for a server that is one run's: no interface, only the services that a run needs.
OF_ONE_RUN = {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1"}


@dataclass(frozen=True, slots=True)
class Server:
    """address: of the API, ends in /api. log: what it says."""

    address: str
    process: subprocess.Popen[bytes]
    log: Path

    def wait_healthy(self, seconds: float, stop: threading.Event | None = None) -> None:
        """Until it answers, or a stop is asked for. Raises LabError when it ends or stays silent."""
        until = time.monotonic() + seconds
        while not (stop and stop.is_set()):
            if is_healthy(self.address):
                return
            if self.process.poll() is not None:
                raise LabError(f"the Prefect server ended while it started (log: {self.log})")
            if time.monotonic() > until:
                raise LabError(f"the Prefect server has not answered for {seconds:.0f} s (log: {self.log})")
            time.sleep(0.05)


@contextlib.contextmanager
def running_server(port: int, home: Path, settings: Mapping[str, str], *, ends_by: signal.Signals) -> Iterator[Server]:
    """A server that is starting; ended at the end, and by `ends_by` when this process dies, however it dies.

    port: on loopback; 0 is any. home: its PREFECT_HOME, made if need be. settings: further environment.
    Raises InputError when the port is taken.
    """
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    log = home / "server.log"
    with _bound(port) as listening:
        address = f"http://{LOOPBACK}:{listening.getsockname()[1]}/api"
        environment = {"PREFECT_HOME": str(home), "PREFECT__SERVER_FINAL": "1", "PREFECT_API_URL": address, **settings}
        command = ["-m", "tasks.prefect_server", str(listening.fileno())]
        with running_child(command, environment, log, ends_by=ends_by, keep_open=(listening.fileno(),)) as process:
            listening.close()  # the child's now; were it open here, too, callers would wait for a server that has ended
            yield Server(address, process, log)


def _bound(port: int) -> socket.socket:
    try:
        return socket.create_server((LOOPBACK, port), backlog=128)
    except OSError as fault:
        raise InputError(
            "--port",
            f"port {port} cannot be had: {fault.strerror}",
            "another `bgp-lab serve` or Prefect server may have it",
            f"choose another with --port, or use that server: export PREFECT_API_URL=http://{LOOPBACK}:{port}/api",
        ) from fault


@contextlib.contextmanager
def running_child(
    arguments: list[str],
    settings: Mapping[str, str],
    log: Path,
    *,
    ends_by: signal.Signals = signal.SIGTERM,
    keep_open: tuple[int, ...] = (),
) -> Iterator[subprocess.Popen[bytes]]:
    """A Python process in a session of its own, which Ctrl-C does not reach; it gets `ends_by` when this one dies."""
    libc, parent = ctypes.CDLL(None), os.getpid()

    def die_with_parent() -> None:
        libc.prctl(PR_SET_PDEATHSIG, ends_by)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(log, "ab") as file:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            env={**os.environ, **settings},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
            pass_fds=keep_open,
            preexec_fn=die_with_parent,
        )
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, and after a while SIGKILL."""
    process.terminate()
    try:
        process.wait(END_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def is_healthy(address: str) -> bool:
    """Whether a Prefect API answers there."""
    with (
        contextlib.suppress(OSError, http.client.HTTPException),
        urllib.request.urlopen(f"{address}/health", timeout=5),
    ):
        return True
    return False


def serve(descriptor: int, level: str) -> None:
    """Serve the API on an open listening socket until SIGTERM."""
    import uvicorn

    config = uvicorn.Config(
        "prefect.server.api.server:create_app",
        factory=True,
        lifespan="on",
        log_level=level,
        timeout_graceful_shutdown=3,
    )
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    serve(int(sys.argv[1]), os.environ.get("PREFECT_SERVER_LOGGING_LEVEL", "WARNING").lower())
