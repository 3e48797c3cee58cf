"""Take an embedded lab down. Apart from `launch.py`: it needs nothing of what bringing one up needs."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
from pathlib import Path

from bgplab.backends.embedded import control
from bgplab.errors import LabError
from bgplab.lab import directory as labs


def down(name: str, *, timeout_seconds: float = 10.0) -> bool:
    """Take a lab down; True when one stood. Whatever it does not do in time the kernel does to it."""
    record = labs.read_record(name)
    if record is None:
        stood = _end_unrecorded(labs.lab_directory(name))
        shutil.rmtree(labs.lab_directory(name), ignore_errors=True)
        return stood
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
        kill(record.pid)
    shutil.rmtree(labs.lab_directory(name), ignore_errors=True)
    return True


def _end_unrecorded(directory: Path) -> bool:
    """Take down a lab whose record is lost or damaged, by the socket that it listens on; True when there was one."""
    try:
        connection = control.connect(directory)
        with contextlib.closing(connection):
            control.ask(connection, {"op": "down"})
            while connection.recv(4096):  # until it has ended
                pass
    except (OSError, LabError):
        return False
    return True


def kill(pid: int) -> None:
    """SIGKILL to a lab's PID 1, and wait until the kernel has ended everything in it."""
    with contextlib.suppress(ProcessLookupError):
        pidfd = os.pidfd_open(pid)
        os.kill(pid, signal.SIGKILL)
        select.select([pidfd], [], [], 10.0)
        os.close(pidfd)
