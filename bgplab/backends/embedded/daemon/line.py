"""The line between the launcher and a lab's daemon while the lab starts: JSON lines both ways, over one socket.

The launcher says two things, each as soon as it knows it: what hosts there are (`settings.Settings`, with the sockets
that the lab inherits), and what its clusters are (`settings.ClusterSettings`). The lab says `pid1` first, `phase` as
work goes on, and then exactly one of `ready` or `failed`. Whoever is gone is an end of file.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from typing import Any

#: Descriptors in one message: Linux takes 253 (SCM_MAX_FD).
_MOST_DESCRIPTORS = 250


class Line:
    """One end. descriptors: what the other end has handed over so far, in its order."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lines: list[bytes] = []
        self._rest = b""
        self.descriptors: list[int] = []

    def send(self, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        """Say something; descriptors go ahead of it, on empty lines. Raises OSError when the other end is gone."""
        for first in range(0, len(descriptors), _MOST_DESCRIPTORS):
            socket.send_fds(self._connection, [b"\n"], descriptors[first : first + _MOST_DESCRIPTORS])
        self._connection.sendall(json.dumps(message, default=str).encode() + b"\n")

    def receive(self, timeout: float | None = None) -> dict[str, Any] | None:
        """What the other end says next; None when it is gone. Raises TimeoutError after `timeout` seconds."""
        self._connection.settimeout(timeout)
        while not self._lines:
            try:
                data, descriptors, _, _ = socket.recv_fds(self._connection, 1 << 18, _MOST_DESCRIPTORS)
            except ConnectionResetError:
                return None
            self.descriptors += descriptors
            if not data:
                return None
            *whole, self._rest = (self._rest + data).split(b"\n")
            self._lines += filter(None, whole)
        message: dict[str, Any] = json.loads(self._lines.pop(0))
        return message

    def close(self) -> None:
        self._connection.close()


class Report:
    """The daemon's part of the talk. A launcher that has gone is no fault."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def phase(self, text: str) -> None:
        self._say({"phase": text})

    def ready(self) -> None:
        self._say({"ready": True})
        self._line.close()

    def failed(self, reason: str, exit_status: int) -> bool:
        """Whether the launcher was still there to hear it."""
        heard = self._say({"failed": reason, "exit_status": exit_status})
        self._line.close()
        return heard

    def _say(self, message: dict[str, Any]) -> bool:
        try:
            self._line.send(message)
        except OSError:
            return False
        return True
