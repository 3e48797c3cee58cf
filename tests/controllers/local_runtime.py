"""A pod runtime for tests: commands of every pod run as processes of this machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

Output = Callable[[bytes], Awaitable[None]]


class LocalRuntime:
    async def exec(
        self,
        namespace: str,
        pod: str,
        container: str | None,
        argv: list[str],
        tty: bool,
        stdin: asyncio.StreamReader | None,
        stdout: Output,
        stderr: Output,
        resize: Any,
    ) -> int:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*argv, stdin=pipe, stdout=pipe, stderr=pipe)
        given = await stdin.read() if stdin else b""
        try:
            out, err = await process.communicate(given)
        except asyncio.CancelledError:
            process.kill()
            await process.wait()  # else its pipes outlive the loop
            raise
        await stdout(out)
        await stderr(err)
        return process.returncode or 0

    async def logs(
        self, namespace: str, pod: str, container: str | None, *, follow: bool, tail: int | None, previous: bool
    ) -> AsyncIterator[bytes]:
        yield f"2026-01-01T00:00:00.000000000Z said by {pod}\n".encode()
