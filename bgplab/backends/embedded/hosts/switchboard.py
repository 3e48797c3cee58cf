"""The daemon's end of every host: one thread reads what the hosts' inits say, callers block or await.

Nothing here enters a namespace: a host's init, which lives in them, starts what is asked for.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import selectors
import signal as signals
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bgplab.backends.embedded.hosts.init import HostPlan, receive, send
from bgplab.errors import CommandFailed, LabError
from bgplab.lab.shell import Completed

START_TIMEOUT_SECONDS = 30.0


def _uncancellable() -> Future[Any]:
    """A future that only the host resolves. Whoever awaits it may be cancelled (an SSH client that goes away), and
    that must not reach the future: resolving a cancelled one would end the switchboard's thread, and the lab with it.
    """
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    return future


class Process:
    """A process in a host (the HostProcess of handle.py). `exited` resolves to its exit status."""

    def __init__(self, host: Host, pid: int, exited: Future[int], master: int | None) -> None:
        self.pid = pid
        self.exited = exited
        self.master = master
        self._host = host

    def kill(self, signal: int = signals.SIGKILL) -> None:
        if not self.exited.done():
            self._host.send({"op": "kill", "pid": self.pid, "signal": int(signal)})

    def end(self) -> None:
        """SIGKILL to it and to what it started (its process group), when it has not ended by itself."""
        if not self.exited.done():
            self._host.send({"op": "kill", "pid": -self.pid, "signal": int(signals.SIGKILL)})

    def resize(self, rows: int, columns: int) -> None:
        self._host.send({"op": "resize", "pid": self.pid, "rows": rows, "columns": columns})

    def wait(self, timeout: float | None = None) -> int | None:
        try:
            return self.exited.result(timeout)
        except TimeoutError:
            return None


class Host:
    """One host or pod of the lab (the HostHandle of handle.py)."""

    def __init__(self, name: str, shared: Path, channel: socket.socket) -> None:
        self.name = name
        self.shared = shared
        self.netns = -1
        self.ready: Future[None] = _uncancellable()
        self._channel = channel
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._starting: dict[int, Future[Process]] = {}
        self._running: dict[int, Future[int]] = {}

    def send(self, message: dict[str, Any], descriptors: list[int] | None = None) -> None:
        with self._lock:
            try:
                send(self._channel, message, descriptors)
            except OSError as fault:
                raise LabError(f"{self.name}: the host is gone ({fault})") from fault

    def request(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str = "/root",
        descriptors: Sequence[int] = (),
        tty: tuple[int, int] | None = None,
    ) -> Future[Process]:
        """Ask for a process; the future resolves when it runs, or to LabError when it cannot be started."""
        number = next(self._numbers)
        future: Future[Process] = _uncancellable()
        self._starting[number] = future
        message = {"op": "spawn", "id": number, "argv": list(argv), "env": dict(env or {}), "cwd": cwd, "tty": tty}
        self.send(message, list(descriptors))
        return future

    def spawn(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        cwd: str = "/root",
    ) -> Process:
        given = (stdin, stdout, stderr)
        if all(descriptor is None for descriptor in given):
            return self.request(argv, env=env, cwd=cwd).result(START_TIMEOUT_SECONDS)
        nothing = os.open(os.devnull, os.O_RDWR)
        try:
            descriptors = [nothing if descriptor is None else descriptor for descriptor in given]
            return self.request(argv, env=env, cwd=cwd, descriptors=descriptors).result(START_TIMEOUT_SECONDS)
        finally:
            os.close(nothing)

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float = 30.0,
        env: Mapping[str, str] | None = None,
        check: bool = True,
    ) -> Completed:
        started = time.monotonic()
        with _pipes() as (theirs, ours):
            process = self.spawn(argv, env=env, stdin=theirs[0], stdout=theirs[1], stderr=theirs[2])
            for descriptor in theirs:
                os.close(descriptor)
            theirs.clear()
            try:
                out, err = _converse(ours, stdin, timeout)
                status = process.exited.result(max(0.1, timeout - (time.monotonic() - started)))
            except (TimeoutError, subprocess.TimeoutExpired) as late:
                process.end()
                raise LabError(f"{self.name}: `{' '.join(argv)}` did not end within {timeout:g} s") from late
        done = Completed(tuple(argv), status, out.decode(errors="replace"), err.decode(errors="replace"),
                         time.monotonic() - started)  # fmt: skip
        if check and status != 0:
            raise CommandFailed(self.name, argv, status, done.stdout, done.stderr)
        return done

    def take(self, message: dict[str, Any], descriptors: list[int]) -> None:
        """What the host's init said (called by the switchboard's thread)."""
        if "exited" in message:
            self._exit_of(message["exited"]).set_result(message["status"])
            self._running.pop(message["exited"], None)
        elif "id" in message and "pid" in message:
            exited = self._exit_of(message["pid"])
            master = descriptors[0] if descriptors else None
            self._starting.pop(message["id"]).set_result(Process(self, message["pid"], exited, master))
        elif "id" in message:
            self._starting.pop(message["id"]).set_exception(LabError(f"{self.name}: {message['error']}"))
        elif "ready" in message:
            self.netns = descriptors[0]
            self.ready.set_result(None)
        else:
            self.ready.set_exception(LabError(f"{self.name}: the host could not be made: {message['error']}"))

    def lost(self) -> None:
        """The host's init is gone; whoever waits must not wait for ever."""
        gone = LabError(f"{self.name}: the host is gone")
        waiting: list[Future[Any]] = [*self._starting.values(), *self._running.values(), self.ready]
        for future in waiting:
            if not future.done():
                future.set_exception(gone)
        self._starting.clear()
        self._running.clear()

    def _exit_of(self, pid: int) -> Future[int]:
        # Orphans that the init reaps are announced too; their futures are dropped at once.
        return self._running.setdefault(pid, _uncancellable())

    def close(self) -> None:
        """Let go of the host: its init ends, and the kernel ends everything in it."""
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_RDWR)
        if self.netns >= 0:
            os.close(self.netns)
            self.netns = -1


class Switchboard:
    """All hosts of a lab. `make` asks the lab's PID 1 for a new host; its thread reads what hosts say."""

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        threading.Thread(target=self._listen, name="switchboard", daemon=True).start()

    def make(self, plan: HostPlan, shared: Path) -> Host:
        """Start making a host; its `ready` future resolves when commands can be run."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        host = Host(plan.root.hostname, shared, ours)
        with self._lock:
            send(self._requests, {"plan": asdict(plan)}, [theirs.fileno()])
            self._selector.register(ours, selectors.EVENT_READ, host)
            self._wake.send(b"!")
        theirs.close()
        return host

    def _listen(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    self._woken.recv(4096)
                else:
                    self._hear(key.fileobj, key.data)  # type: ignore[arg-type]

    def _hear(self, channel: socket.socket, host: Host) -> None:
        try:
            message, descriptors = receive(channel)
        except OSError:
            message, descriptors = None, []
        if message is None:
            with self._lock:
                self._selector.unregister(channel)
            channel.close()
            host.lost()
        else:
            host.take(message, descriptors)


@contextlib.contextmanager
def _pipes() -> Iterator[tuple[list[int], list[int]]]:
    """Three pipes: the child's ends (stdin, stdout, stderr) and ours. What is still in the lists is closed at exit."""
    stdin_read, stdin_write = os.pipe()
    stdout_read, stdout_write = os.pipe()
    stderr_read, stderr_write = os.pipe()
    theirs, ours = [stdin_read, stdout_write, stderr_write], [stdin_write, stdout_read, stderr_read]
    try:
        yield theirs, ours
    finally:
        for descriptor in [*theirs, *ours]:
            os.close(descriptor)


def _converse(ours: list[int], stdin: bytes, timeout: float) -> tuple[bytes, bytes]:
    """Write all of stdin and read both outputs to their ends. Raises TimeoutError."""
    at = time.monotonic() + timeout
    writing, out_end, err_end = ours
    chunks: dict[int, list[bytes]] = {out_end: [], err_end: []}
    left = memoryview(stdin)
    with selectors.DefaultSelector() as selector:
        if left:
            os.set_blocking(writing, False)
            selector.register(writing, selectors.EVENT_WRITE)
        else:
            _close(ours, writing)
        for end in (out_end, err_end):
            selector.register(end, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(0.0, at - time.monotonic()))
            if not ready:
                raise TimeoutError
            for key, _ in ready:
                if key.fd == writing:
                    left = _write_some(writing, left)
                    if not left:
                        selector.unregister(writing)
                        _close(ours, writing)
                elif chunk := os.read(key.fd, 1 << 16):
                    chunks[key.fd].append(chunk)
                else:
                    selector.unregister(key.fd)
    return b"".join(chunks[out_end]), b"".join(chunks[err_end])


def _write_some(descriptor: int, left: memoryview) -> memoryview:
    try:
        return left[os.write(descriptor, left[: 1 << 16]) :]
    except BrokenPipeError:
        return left[len(left) :]


def _close(ours: list[int], descriptor: int) -> None:
    os.close(descriptor)
    ours.remove(descriptor)


@dataclass(frozen=True)
class Shared:
    """Where hosts' shared directories lie in the daemon's view."""

    base: Path

    def of(self, name: str) -> Path:
        directory = self.base / name
        directory.mkdir(parents=True, exist_ok=True)
        return directory
