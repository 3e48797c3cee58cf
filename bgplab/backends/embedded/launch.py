"""Bring an embedded lab up and take it down: the only thing that happens outside its namespaces."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bgplab.backends.embedded import control
from bgplab.backends.embedded.daemon import credentials
from bgplab.backends.embedded.daemon.settings import Settings, Sockets
from bgplab.backends.embedded.hosts.userland import require_userland
from bgplab.errors import BgpLabError, InputError, LabError, MachineError
from bgplab.lab import directory as labs
from bgplab.spec.model import LabSpec

BACKEND = "embedded"
DEFAULT_GRACE_SECONDS = 20.0
START_TIMEOUT_SECONDS = 120.0

_SOURCE = Path(__file__).parents[3]
_PID1 = (
    "import sys; sys.path.insert(0, {!r}); from bgplab.backends.embedded.daemon.pid1 import main; main(sys.argv[1:])"
)


@dataclass(frozen=True, slots=True)
class Started:
    """A lab that stands. `already`: it stood before; `lease` is the caller's ownership of it."""

    record: labs.LabRecord
    lease: control.Lease
    already: bool


def up(
    spec: LabSpec,
    name: str,
    *,
    holder: str,
    grace_seconds: float = DEFAULT_GRACE_SECONDS,
    say: Callable[[str], None] = lambda _: None,
) -> Started:
    """Bring a lab up, or take a lease on the one that stands under that name.

    The caller must hold the name's lock. Raises InputError when a different lab has the name, MachineError when this
    machine cannot have one, LabError when it does not come up (nothing is left then).
    """
    standing = labs.read_record(name)
    if standing:
        if standing.spec != json.loads(spec.model_dump_json()):
            raise InputError(
                "--name",
                f"a lab {name!r} with another description stands already",
                "one name is one lab",
                f"take it down (bgp-lab down --name {name}) or choose another name",
            )
        return Started(standing, control.Lease(labs.lab_directory(name), holder), already=True)
    userland = require_userland()
    directory = labs.lab_directory(name)
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True, mode=0o700)
    try:
        record = _start(spec, name, directory, userland, grace_seconds, say)
        return Started(record, control.Lease(directory, holder), already=False)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            _keep_log(directory)
        shutil.rmtree(directory, ignore_errors=True)
        raise


def _keep_log(directory: Path) -> None:
    """A lab that did not come up leaves its log beside the labs, one file, overwritten by the next failure."""
    shutil.copy(directory / "daemon.log", labs.state_directory() / "last-failed-start.log")


def _start(
    spec: LabSpec, name: str, directory: Path, userland: Path, grace_seconds: float, say: Callable[[str], None]
) -> labs.LabRecord:
    token = credentials.make_credentials(directory)
    (directory / "spec.json").write_text(spec.model_dump_json())
    hosts = [router.name for router in spec.routers] + [node.name for one in spec.clusters for node in one.nodes]
    with _listeners(directory, [one.name for one in spec.clusters], hosts) as (sockets, ports):
        servers = {one.context_name: f"https://127.0.0.1:{ports[f'kube:{one.name}']}" for one in spec.clusters}
        ssh_ports = {host: ports[f"ssh:{host}"] for host in hosts}
        _write(directory, "kubeconfig", credentials.kubeconfig(directory, token, servers))
        _write(directory, "ssh_config", credentials.ssh_config(directory, ssh_ports))
        _write(directory, "known_hosts", credentials.known_hosts(directory, ssh_ports))
        report, reporting = os.pipe()
        settings = Settings(name, str(directory), str(userland), token, grace_seconds, sockets, reporting)
        _write(directory, "settings.json", settings.to_json())
        try:
            pid = _start_pid1(directory, [*sockets.all, reporting])
        finally:
            os.close(reporting)
    started = labs.start_time_of(pid)
    try:
        _follow(report, pid, say)
    except BaseException:
        _kill(pid)
        raise
    finally:
        os.close(report)
    if started is None:
        raise LabError(f"the lab {name} ended while it started (log: {directory}/daemon.log)")
    record = labs.LabRecord(
        name=name,
        backend=BACKEND,
        pid=pid,
        started=started,
        hosts=tuple(hosts),
        contexts={one.name: one.context_name for one in spec.clusters},
        ports=ports,
        spec=json.loads(spec.model_dump_json()),
        since=time.time(),
    )
    labs.write_record(directory, record)
    return record


def _write(directory: Path, name: str, text: str) -> None:
    credentials.write_private(directory / name, text.encode())


@contextlib.contextmanager
def _listeners(directory: Path, clusters: list[str], hosts: list[str]) -> Iterator[tuple[Sockets, dict[str, int]]]:
    """Loopback sockets, bound here and inherited by the daemon; ours are closed when it has them."""
    opened: list[socket.socket] = []
    ports: dict[str, int] = {}

    def loopback(label: str) -> int:
        listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        opened.append(listener)
        ports[label] = listener.getsockname()[1]
        return listener.fileno()

    try:
        kube = {name: loopback(f"kube:{name}") for name in clusters}
        ssh = {name: loopback(f"ssh:{name}") for name in hosts}
        control_socket = socket.socket(socket.AF_UNIX)
        opened.append(control_socket)
        inside = os.open(directory, os.O_PATH | os.O_DIRECTORY)
        try:
            control_socket.bind(f"/proc/self/fd/{inside}/control")
        finally:
            os.close(inside)
        control_socket.listen(16)
        yield Sockets(kube, ssh, control_socket.fileno()), ports
    finally:
        for listener in opened:
            listener.close()


def _start_pid1(directory: Path, keep: list[int]) -> int:
    """Start the lab's PID 1, detached; its number as this machine counts. Raises MachineError without namespaces."""
    number, reporting = os.pipe()
    command = [sys.executable, "-m", "bgplab.backends.embedded.daemon.main", str(directory / "settings.json")]
    with open(directory / "daemon.log", "ab") as log:
        launcher = subprocess.Popen(
            [sys.executable, "-S", "-E", "-c", _PID1.format(str(_SOURCE)), str(reporting),
             ",".join(map(str, keep)), *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[reporting, *keep],
            start_new_session=True,
            cwd="/",
            env=_environment(),
        )  # fmt: skip
    os.close(reporting)
    with os.fdopen(number) as file:
        said = file.read().strip()
    launcher.wait()
    if not said:
        raise MachineError(
            f"the lab's namespaces could not be made: {_last_line(directory / 'daemon.log')}",
            "unprivileged user namespaces must be allowed: sysctl user.max_user_namespaces > 0,"
            " kernel.unprivileged_userns_clone=1 (Debian),"
            " kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu 24.04);"
            " in a container: --security-opt seccomp=unconfined --security-opt systempaths=unconfined",
        )
    return int(said)


def _environment() -> dict[str, str]:
    kept = ("PATH", "HOME", "LANG", "PYTHONPATH", "BGPLAB_USERLAND", "BGPLAB_CACHE")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    return {**environment, "PYTHONPATH": os.pathsep.join(filter(None, [str(_SOURCE), os.environ.get("PYTHONPATH")]))}


def _last_line(path: Path) -> str:
    lines = [line for line in path.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "no reason was given"


def _follow(report: int, pid: int, say: Callable[[str], None]) -> None:
    """Pass phases on until the lab says it is ready. Raises what it says went wrong."""
    at = time.monotonic() + START_TIMEOUT_SECONDS
    buffer = b""
    while True:
        ready, _, _ = select.select([report], [], [], max(0.0, at - time.monotonic()))
        if not ready:
            raise LabError(f"the lab did not come up within {START_TIMEOUT_SECONDS:.0f} s")
        data = os.read(report, 65536)
        if not data:
            raise LabError(f"the lab ended while it started (log: {labs.state_directory()}/last-failed-start.log)")
        buffer += data
        *lines, buffer = buffer.split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "phase" in message:
                say(message["phase"])
            elif "failed" in message:
                raise _error_for(message)
            elif "ready" in message:
                return


def _error_for(message: dict[str, object]) -> BgpLabError:
    if message["exit_status"] == MachineError.exit_status:
        return MachineError(str(message["failed"]))
    return LabError(str(message["failed"]))


def down(name: str, *, timeout_seconds: float = 10.0) -> bool:
    """Take a lab down; True when one stood. Whatever it does not do in time the kernel does to it."""
    record = labs.read_record(name)
    if record is None:
        shutil.rmtree(labs.lab_directory(name), ignore_errors=True)
        return False
    with contextlib.suppress(LabError, ProcessLookupError):
        pidfd = os.pidfd_open(record.pid)
        try:
            connection = control.connect(labs.lab_directory(name))
            with contextlib.closing(connection):
                control.ask(connection, {"op": "down"})
            select.select([pidfd], [], [], timeout_seconds)
        finally:
            os.close(pidfd)
    if labs.start_time_of(record.pid) == record.started:
        _kill(record.pid)
    shutil.rmtree(labs.lab_directory(name), ignore_errors=True)
    return True


def _kill(pid: int) -> None:
    """SIGKILL to the lab's PID 1, and wait until the kernel has ended everything in it."""
    with contextlib.suppress(ProcessLookupError):
        pidfd = os.pidfd_open(pid)
        os.kill(pid, signal.SIGKILL)
        select.select([pidfd], [], [], 10.0)
        os.close(pidfd)
