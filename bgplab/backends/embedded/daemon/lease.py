"""Who a lab belongs to. An owner holds a connection open; when the last one vanishes without saying `keep`, a grace
period runs, and then the lab ends itself.

One JSON line each way. `{"op": "lease", "holder": "…"}` comes with a pidfd of its holder, so that a child of the
holder that still has the connection open does not count as the holder. `keep`: the lab stands until `down`.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import socket
import threading
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)


class Leases:
    """Counts owners and runs the grace; `expired` is called once, when the lab must go."""

    def __init__(self, grace_seconds: float, expired: Callable[[str], None]) -> None:
        self._grace = grace_seconds
        self._expired = expired
        self._changed = threading.Condition()
        self._holders: list[str] = []
        self._kept = False
        self._unowned_since: float | None = None

    def begin(self) -> None:
        """From now on a lab without an owner is on borrowed time."""
        with self._changed:
            self._unowned_since = time.monotonic()
        threading.Thread(target=self._watch, name="lease", daemon=True).start()

    def take(self, holder: str) -> None:
        with self._changed:
            self._holders.append(holder)
            self._unowned_since = None

    def release(self, holder: str) -> None:
        with self._changed:
            self._holders.remove(holder)
            if not self._holders and not self._kept:
                logger.info("%s let go of the lab; it ends in %.0f s unless somebody takes it", holder, self._grace)
                self._unowned_since = time.monotonic()
                self._changed.notify()

    def keep(self) -> None:
        with self._changed:
            self._kept, self._unowned_since = True, None

    def state(self) -> dict[str, object]:
        with self._changed:
            return {"holders": list(self._holders), "kept": self._kept}

    def _watch(self) -> None:
        with self._changed:
            while True:
                since = self._unowned_since
                if since is None:
                    self._changed.wait(1.0)
                    continue
                left = since + self._grace - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(min(left, 1.0))
        self._expired(f"nobody owned the lab for {self._grace:.0f} s")


class ControlServer:
    """Answers on the control socket; a thread per connection (there are few)."""

    def __init__(self, listener: socket.socket, leases: Leases, down: Callable[[str], None]) -> None:
        self._listener, self._leases, self._down = listener, leases, down

    def start(self) -> None:
        threading.Thread(target=self._accept, name="control", daemon=True).start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(connection,), name="control", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        holder: str | None = None
        pidfd: int | None = None
        try:
            while True:
                if not self._wait(connection, pidfd):
                    return
                data, descriptors, _, _ = socket.recv_fds(connection, 65536, 1)
                if not data:
                    return
                for line in data.splitlines():
                    request = json.loads(line)
                    if request["op"] == "lease" and holder is None:
                        holder = str(request["holder"])
                        pidfd = descriptors[0] if descriptors else None
                        self._leases.take(holder)
                        self._reply(connection, {"ok": True})
                    else:
                        self._answer(connection, request)
        except (OSError, ValueError, KeyError) as fault:
            logger.warning("control connection: %s", fault)
        finally:
            connection.close()
            if pidfd is not None:
                os.close(pidfd)
            if holder is not None:
                self._leases.release(holder)

    @staticmethod
    def _wait(connection: socket.socket, pidfd: int | None) -> bool:
        """Until there is something to read; False when the holder's process has ended."""
        watched = [connection.fileno()] + ([pidfd] if pidfd is not None else [])
        ready, _, _ = select.select(watched, [], [])
        return pidfd not in ready

    def _answer(self, connection: socket.socket, request: dict[str, object]) -> None:
        if request["op"] == "keep":
            self._leases.keep()
            self._reply(connection, {"ok": True})
        elif request["op"] == "state":
            self._reply(connection, {"ok": True, **self._leases.state()})
        elif request["op"] == "down":
            with contextlib.suppress(OSError):
                self._reply(connection, {"ok": True})
            self._down("asked to")
        else:
            self._reply(connection, {"ok": False, "error": f"unknown operation {request['op']!r}"})

    @staticmethod
    def _reply(connection: socket.socket, answer: dict[str, object]) -> None:
        connection.sendall(json.dumps(answer).encode() + b"\n")
