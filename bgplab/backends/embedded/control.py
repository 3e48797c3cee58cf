"""The owner's side of a lab: hold a lease, keep the lab, take it down."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from types import TracebackType

from bgplab.errors import LabError


def connect(directory: Path) -> socket.socket:
    """A connection to the lab's control socket. The path goes through /proc, for unix paths end at 107 bytes."""
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(10)
        connection.connect(f"/proc/self/fd/{descriptor}/control")
    except OSError as fault:
        connection.close()
        raise LabError(f"the lab in {directory} does not answer: {fault}") from fault
    finally:
        os.close(descriptor)
    return connection


def ask(
    connection: socket.socket, request: dict[str, object], descriptors: list[int] | None = None
) -> dict[str, object]:
    """One request and its answer. Raises LabError when the lab refuses or has gone."""
    try:
        socket.send_fds(connection, [json.dumps(request).encode() + b"\n"], descriptors or [])
        answer = b""
        while not answer.endswith(b"\n"):
            data = connection.recv(65536)
            if not data:
                raise LabError("the lab closed the control connection")
            answer += data
    except OSError as fault:
        raise LabError(f"the lab does not answer: {fault}") from fault
    given: dict[str, object] = json.loads(answer)
    if not given.get("ok"):
        raise LabError(f"the lab refused {request['op']}: {given.get('error')}")
    return given


class Lease:
    """Ownership of a lab for as long as this process lives, or until `release`."""

    def __init__(self, directory: Path, holder: str) -> None:
        self._connection = connect(directory)
        pidfd = os.pidfd_open(os.getpid())
        try:
            ask(self._connection, {"op": "lease", "holder": holder}, [pidfd])
        finally:
            os.close(pidfd)

    def keep(self) -> None:
        """The lab shall stand on after this lease."""
        ask(self._connection, {"op": "keep"})

    def lab_is_kept(self) -> bool:
        """Whether somebody has said that the lab shall stand on."""
        return bool(ask(self._connection, {"op": "state"})["kept"])

    def release(self) -> None:
        self._connection.close()

    def __enter__(self) -> Lease:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
