"""Run a host's process with its streams in asyncio: what SSH sessions and `kubectl exec` have in common."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from bgplab.backends.embedded.hosts.switchboard import Host, Process

Sink = Callable[[bytes], Awaitable[None]]
CHUNK = 1 << 16


@dataclass(frozen=True)
class Session:
    """A started process and our ends of its streams; with a tty, both outputs come from `output` alone."""

    process: Process
    input: int
    output: int
    errors: int | None


async def start(
    host: Host, argv: Sequence[str], tty: tuple[int, int] | None, env: dict[str, str], cwd: str = "/root"
) -> Session:
    """Start a command with pipes, or on a new terminal of `tty` rows and columns."""
    if tty:
        process = await asyncio.wrap_future(host.request(argv, tty=tty, env=env, cwd=cwd))
        assert process.master is not None
        return Session(process, os.dup(process.master), process.master, None)
    stdin_read, stdin_write = os.pipe()
    stdout_read, stdout_write = os.pipe()
    stderr_read, stderr_write = os.pipe()
    try:
        descriptors = [stdin_read, stdout_write, stderr_write]
        process = await asyncio.wrap_future(host.request(argv, env=env, cwd=cwd, descriptors=descriptors))
    except BaseException:
        for end in (stdin_write, stdout_read, stderr_read):
            os.close(end)
        raise
    finally:
        for end in (stdin_read, stdout_write, stderr_write):
            os.close(end)
    return Session(process, stdin_write, stdout_read, stderr_read)


async def converse(session: Session, source: AsyncIterator[bytes], stdout: Sink, stderr: Sink) -> int:
    """Pump until the process ended and its output is drained; the exit status. Output first, then the status:
    the other order loses the end of the output."""
    feeding = asyncio.create_task(_feed(session.input, source))
    try:
        outputs = [_drain(session.output, stdout)]
        if session.errors is not None:
            outputs.append(_drain(session.errors, stderr))
        await asyncio.gather(*outputs)
        return await asyncio.wrap_future(session.process.exited)
    finally:
        feeding.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await feeding
        session.process.end()


async def _feed(descriptor: int, source: AsyncIterator[bytes]) -> None:
    loop = asyncio.get_running_loop()
    os.set_blocking(descriptor, False)
    try:
        async for data in source:
            view = memoryview(data)
            while view:
                try:
                    view = view[os.write(descriptor, view) :]
                except BlockingIOError:
                    await _writable(loop, descriptor)
                except OSError:
                    return  # the process no longer reads
    finally:
        os.close(descriptor)


async def _writable(loop: asyncio.AbstractEventLoop, descriptor: int) -> None:
    ready: asyncio.Future[None] = loop.create_future()

    def done() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_writer(descriptor, done)
    try:
        await ready
    finally:
        loop.remove_writer(descriptor)


async def _drain(descriptor: int, sink: Sink) -> None:
    """Read a descriptor to its end. A terminal's master says EIO when the last process has let go of it."""
    loop = asyncio.get_running_loop()
    os.set_blocking(descriptor, False)
    arrived = asyncio.Event()
    loop.add_reader(descriptor, arrived.set)
    try:
        while True:
            try:
                data = os.read(descriptor, CHUNK)
            except BlockingIOError:
                arrived.clear()
                await arrived.wait()
                continue
            except OSError:
                return
            if not data:
                return
            await sink(data)
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
