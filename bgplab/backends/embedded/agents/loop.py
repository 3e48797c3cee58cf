"""One thread that serves many sockets: callbacks by socket, and errands from other threads."""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)


class SocketLoop:
    """Calls back in its own thread when a socket can be read, until `stop` is set. A callback must not block."""

    def __init__(self, name: str, stop: threading.Event) -> None:
        self._stop = stop
        self._lock = threading.Lock()
        self._errands: list[Callable[[], None]] = []
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._woken.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ, self._run_errands)
        threading.Thread(target=self._run, name=name, daemon=True).start()
        threading.Thread(target=self._wake_on_stop, name=f"{name}-stop", daemon=True).start()

    def do(self, errand: Callable[[], None]) -> None:
        """Have the loop's thread do something; sockets are added and closed by it alone."""
        with self._lock:
            self._errands.append(errand)
        self._wake.send(b"!")

    def add(self, readable: socket.socket, callback: Callable[[], None]) -> None:
        """Only from the loop's thread."""
        self._selector.register(readable, selectors.EVENT_READ, callback)

    def close(self, readable: socket.socket) -> None:
        """Forget and close a socket. Only from the loop's thread."""
        self._selector.unregister(readable)
        readable.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            for key, _ in self._selector.select():
                # One callback may have closed the socket of another that was ready, too.
                if key.fd in self._selector.get_map():
                    self._call(key.data)
        for key in list(self._selector.get_map().values()):
            self._selector.unregister(key.fileobj)
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()

    def _call(self, callback: Callable[[], None]) -> None:
        try:
            callback()
        except Exception:
            log.exception("a socket's callback failed")

    def _run_errands(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._woken.recv(4096)
        with self._lock:
            errands, self._errands = self._errands, []
        for errand in errands:
            self._call(errand)

    def _wake_on_stop(self) -> None:
        self._stop.wait()
        self.do(lambda: None)
