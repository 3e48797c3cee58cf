"""exec and logs of pods, as the API server asks for them."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Protocol

from bgplab.backends.embedded.agents.kubelet.kubelet import Kubelet
from bgplab.backends.embedded.agents.kubelet.sandbox import Sandbox
from bgplab.backends.embedded.hosts import streams
from bgplab.errors import LabError

Sink = Callable[[bytes], Awaitable[None]]
FOLLOW_SECONDS = 0.2

#: argv → exit status, standard output, standard error.
AgentCommand = Callable[[list[str]], tuple[int, str, str]]


class Readable(Protocol):
    async def read(self, count: int, /) -> bytes: ...


class PodStreams:
    """The PodRuntime of the API server.

    agent_commands: node name → answer of the Cilium agent there to `cilium …`, `cilium-dbg …`, `hubble …`.
    """

    def __init__(
        self, kubelet: Kubelet, agent_commands: Mapping[str, AgentCommand], agent_names: frozenset[str]
    ) -> None:
        self._kubelet, self._agent_commands, self._agent_names = kubelet, agent_commands, agent_names

    async def exec(
        self,
        namespace: str,
        pod: str,
        container: str | None,
        argv: list[str],
        tty: bool,
        stdin: Readable | None,
        stdout: Sink,
        stderr: Sink,
        resize: asyncio.Queue[tuple[int, int]] | None,
    ) -> int:
        """Run a command in a pod; its exit status (126/127 when it cannot be run, as a shell says)."""
        sandbox = self._kubelet.sandbox(namespace, pod)
        if sandbox is None:
            await stderr(f"pod {namespace}/{pod} does not run\n".encode())
            return 126
        if argv[0] in self._agent_names and not sandbox.placement.own_host:
            return await self._ask_agent(sandbox.placement.node, argv, stdout, stderr)
        setup = sandbox.setup_of(container or next(iter(view.name for view in sandbox.views), ""))
        terminal = (24, 80) if tty else None
        try:
            session = await streams.start(sandbox.placement.host, argv, terminal, setup.environment, setup.directory)
        except LabError as fault:
            await stderr(f"{fault}\n".encode())
            return 127
        watching = asyncio.create_task(_resize(session, resize)) if tty and resize else None
        try:
            return await streams.converse(session, _chunks(stdin), stdout, stderr)
        finally:
            if watching:
                watching.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await watching

    async def _ask_agent(self, node: str, argv: list[str], stdout: Sink, stderr: Sink) -> int:
        command = self._agent_commands.get(node)
        if command is None:
            await stderr(f"Error: the agent of {node} does not run\n".encode())
            return 1
        status, out, err = await asyncio.to_thread(command, argv)
        if out:
            await stdout(out.encode())
        if err:
            await stderr(err.encode())
        return status

    async def logs(
        self, namespace: str, pod: str, container: str | None, *, follow: bool, tail: int | None, previous: bool
    ) -> AsyncIterator[bytes]:
        """A container's lines so far, each with its time, then, when followed, what comes until it ends."""
        sandbox = self._kubelet.sandbox(namespace, pod)
        if sandbox is None:
            return
        name = container or next(iter(view.name for view in sandbox.views), "")
        path = sandbox.log_of(name, previous=previous)
        if path is None:
            return
        position = 0
        if tail is not None:
            first, position = _tail(path, tail)
            yield first
        while True:
            over = not follow or previous or self._is_over(sandbox, namespace, pod, name, path)
            data = _read_from(path, position)
            position += len(data)
            if data:
                yield data
            elif over:
                return
            else:
                await asyncio.sleep(FOLLOW_SECONDS)

    def _is_over(self, sandbox: Sandbox, namespace: str, pod: str, container: str, path: Path) -> bool:
        """Will nothing more be written there?"""
        if self._kubelet.sandbox(namespace, pod) is not sandbox or sandbox.log_of(container) != path:
            return True
        return any(view.name == container and view.exit_status is not None for view in sandbox.views)


async def _chunks(stdin: Readable | None) -> AsyncIterator[bytes]:
    while stdin is not None and (data := await stdin.read(streams.CHUNK)):
        yield data


async def _resize(session: streams.Session, sizes: asyncio.Queue[tuple[int, int]]) -> None:
    while True:
        columns, rows = await sizes.get()
        session.process.resize(rows, columns)


def _tail(path: Path, count: int) -> tuple[bytes, int]:
    data = path.read_bytes() if path.exists() else b""
    return b"".join(deque(data.splitlines(keepends=True), maxlen=count)), len(data)


def _read_from(path: Path, position: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(position)
            return file.read(1 << 20)
    except FileNotFoundError:
        return b""
