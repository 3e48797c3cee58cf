"""Bring an embedded lab up: the only thing that happens outside its namespaces."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from bgplab.backends.embedded import control, planning
from bgplab.backends.embedded.daemon import access_files
from bgplab.backends.embedded.daemon.home import keep_log
from bgplab.backends.embedded.daemon.settings import ClusterSettings, Settings, Sockets
from bgplab.backends.embedded.ending import down
from bgplab.backends.embedded.hosts.userland import require_userland
from bgplab.backends.embedded.starting import DEFAULT_GRACE_SECONDS, Starting
from bgplab.backends.embedded.wiring.planning import wiring_of
from bgplab.errors import InputError, LabError
from bgplab.lab import directory as labs
from bgplab.spec.derived import host_names
from bgplab.spec.model import LabSpec

__all__ = ["BACKEND", "DEFAULT_GRACE_SECONDS", "Started", "down", "up"]

BACKEND = "embedded"


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
    ahead: Starting | None = None,
) -> Started:
    """Bring a lab up, or take a lease on the one that stands under that name.

    ahead: one that has begun to load; it stays the caller's to end when no lab has come of it. The caller must hold the
    name's lock. Raises InputError when a different lab has the name, MachineError when this machine cannot have one,
    LabError when it does not come up (nothing is left then).
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
    try:
        directory.mkdir(parents=True, mode=0o700)
        record = _start(ahead or Starting(), spec, name, directory, userland, grace_seconds, say)
        return Started(record, control.Lease(directory, holder), already=False)
    except BaseException as fault:
        keep_log(directory)
        shutil.rmtree(directory, ignore_errors=True)
        if isinstance(fault, OSError) and fault.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
            raise labs.unusable(directory, fault) from fault
        raise


def _start(
    starting: Starting,
    spec: LabSpec,
    name: str,
    directory: Path,
    userland: Path,
    grace_seconds: float,
    say: Callable[[str], None],
) -> labs.LabRecord:
    try:
        with open(directory / "daemon.log", "ab") as log, _listeners(directory, spec) as (sockets, ports):
            settings = Settings(
                state=str(directory),
                userland=str(userland),
                grace_seconds=grace_seconds,
                sockets=sockets,
                wiring=wiring_of(spec),
                routers={router.name: planning.router_files(router) for router in spec.routers},
            )
            starting.tell(asdict(settings), [*sockets.all, log.fileno()])
        starting.tell({"clusters": [asdict(one) for one in _clusters(spec, directory, ports)]})
        started = labs.start_time_of(starting.pid)
        starting.follow(say)
    except BaseException:
        with contextlib.suppress(OSError), open(directory / "daemon.log", "a") as log:
            log.write(starting.said)
        starting.kill()
        raise
    starting.close()
    if started is None:
        raise LabError(f"the lab {name} ended while it started (log: {directory}/daemon.log)")
    record = labs.LabRecord(
        name=name,
        backend=BACKEND,
        pid=starting.pid,
        started=started,
        hosts=host_names(spec),
        contexts={one.name: one.context_name for one in spec.clusters},
        ports=ports,
        spec=json.loads(spec.model_dump_json()),
        since=time.time(),
    )
    try:
        labs.write_record(directory, record)
    except FileNotFoundError as fault:  # the lab has ended and taken its directory with it
        kept = labs.state_directory() / "last-failed-start.log"
        raise LabError(f"the lab {name} ended as soon as it was ready (log: {kept})") from fault
    return record


def _clusters(spec: LabSpec, directory: Path, ports: dict[str, int]) -> list[ClusterSettings]:
    """Write keys, certificates and the files by which the lab is reached; what its clusters are."""
    # Loaded here, while the lab makes its hosts: cryptography and yaml are slow to load, and nobody waits for them.
    from bgplab.backends.embedded.daemon.credentials import make_credentials
    from bgplab.backends.embedded.daemon.seeds import seeds

    token = make_credentials(directory)
    servers = {one.context_name: f"https://127.0.0.1:{ports[f'kube:{one.name}']}" for one in spec.clusters}
    ssh_ports = {host: ports[f"ssh:{host}"] for host in host_names(spec)}
    _write(directory, "kubeconfig", access_files.kubeconfig(directory, token, servers))
    _write(directory, "ssh_config", access_files.ssh_config(directory, ssh_ports))
    _write(directory, "known_hosts", access_files.known_hosts(directory, ssh_ports))
    plans = [planning.plan_of(spec, one) for one in spec.clusters]
    return [ClusterSettings(plan, token, seeds(plan)) for plan in plans]


def _write(directory: Path, name: str, text: str) -> None:
    access_files.write_private(directory / name, text.encode())


@contextlib.contextmanager
def _listeners(directory: Path, spec: LabSpec) -> Iterator[tuple[Sockets, dict[str, int]]]:
    """Loopback sockets, bound here and handed over to the daemon; ours are closed when it has them."""
    opened: list[socket.socket] = []
    ports: dict[str, int] = {}

    def loopback(label: str) -> int:
        listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        opened.append(listener)
        ports[label] = listener.getsockname()[1]
        return listener.fileno()

    try:
        kube = {one.name: loopback(f"kube:{one.name}") for one in spec.clusters}
        ssh = {name: loopback(f"ssh:{name}") for name in host_names(spec)}
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
