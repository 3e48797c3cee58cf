"""A client's standard input as an asyncio stream, with back pressure."""

from __future__ import annotations

import asyncio
from typing import Any

LIMIT_BYTES = 1 << 18


class Gate(asyncio.Transport):
    """What a StreamReader thinks is its transport: it closes the gate when its buffer is full, opens it when read."""

    def __init__(self) -> None:
        super().__init__()
        self._open = asyncio.Event()
        self._open.set()

    def pause_reading(self) -> None:
        self._open.clear()

    def resume_reading(self) -> None:
        self._open.set()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    async def wait(self) -> None:
        await self._open.wait()


class Stdin:
    """Fed by the socket's reader, read by the process."""

    def __init__(self) -> None:
        self._gate = Gate()
        self.reader = asyncio.StreamReader(limit=LIMIT_BYTES)
        self.reader.set_transport(self._gate)
        self._ended = False

    async def feed(self, data: bytes) -> None:
        """Waits while the process does not read."""
        if not self._ended and data:
            self.reader.feed_data(data)
            await self._gate.wait()

    def end(self) -> None:
        """End of file; harmless when repeated."""
        if not self._ended:
            self._ended = True
            self.reader.feed_eof()
