"""A PodRuntime for tests: a few commands that read, write and end as told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

LINES = (
    "2026-01-01T00:00:01.000000000Z one\n",
    "2026-01-01T00:00:02.500000000Z two\n",
    "2100-01-01T00:00:00.000000000Z three\n",
)
MORE = "2100-01-01T00:00:01.000000000Z and more\n"


class FakeRuntime:
    """`logs` yields three lines, and follows with more until somebody calls `more.set`."""

    def __init__(self) -> None:
        self.cancelled = 0
        self.more: asyncio.Event | None = None

    async def exec(
        self, namespace: str, pod: str, container: str | None, argv: list[str], tty: bool, stdin: Any, stdout: Any,
        stderr: Any, resize: Any,
    ) -> int:  # fmt: skip
        if argv[0] == "missing":
            raise LookupError("no such program: missing")
        return await getattr(self, f"_{argv[0]}")(argv[1:], stdin, stdout, stderr, resize)

    async def _echo(self, words: list[str], stdin: Any, stdout: Any, stderr: Any, resize: Any) -> int:
        await stdout(" ".join(words).encode() + b"\n")
        return 0

    async def _fail(self, words: list[str], stdin: Any, stdout: Any, stderr: Any, resize: Any) -> int:
        await stderr(b"it went wrong\n")
        return int(words[0])

    async def _cat(self, words: list[str], stdin: Any, stdout: Any, stderr: Any, resize: Any) -> int:
        while chunk := await stdin.read(65536):
            await stdout(chunk)
        return 0

    async def _size(self, words: list[str], stdin: Any, stdout: Any, stderr: Any, resize: Any) -> int:
        columns, rows = await resize.get()
        await stdout(f"{columns}x{rows}".encode())
        return 0

    async def _hang(self, words: list[str], stdin: Any, stdout: Any, stderr: Any, resize: Any) -> int:
        await stdout(b"hanging\n")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return 0

    async def logs(
        self, namespace: str, pod: str, container: str | None, *, follow: bool, tail: int | None,
        previous: bool,
    ) -> AsyncIterator[bytes]:  # fmt: skip
        if previous:
            yield b"2026-01-01T00:00:00.000000000Z before\n"
            return
        lines = [line.encode() for line in LINES]
        for line in lines[len(lines) - tail :] if tail is not None else lines:
            yield line
        if follow:
            self.more = asyncio.Event()
            await self.more.wait()
            for piece in (MORE[:9], MORE[9:]):  # a line may come in pieces
                yield piece.encode()
