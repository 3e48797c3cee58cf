"""A watch as a response: one JSON line per event, bookmarks, an end in time."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bgplab.backends.embedded.kube.errors import ApiError
from bgplab.backends.embedded.kube.http.answers import item_bytes
from bgplab.backends.embedded.kube.machine import Machine
from bgplab.backends.embedded.kube.resources import Resource, as_version
from bgplab.backends.embedded.kube.store.item import encode
from bgplab.backends.embedded.kube.store.watch import Sight, Watch
from bgplab.backends.embedded.kube.table.tables import table_of

BOOKMARK_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class WatchStyle:
    """How a client wants its events."""

    resource: Resource
    table: bool
    include_object: str
    bookmarks: bool
    seconds: float


def line(kind: str, payload: bytes) -> bytes:
    return b'{"type":"' + kind.encode() + b'","object":' + payload + b"}\n"


class WatchResponse(Response):
    """Streams until time is up, the client goes or the watch is closed. Without a watch: one ERROR event."""

    def __init__(self, machine: Machine, style: WatchStyle, watch: Watch | None, error: ApiError | None = None) -> None:
        super().__init__(media_type="application/json")
        self._machine = machine
        self._style = style
        self._watch = watch
        self._error = error
        self._headed = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-cache, private")]
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            if self._error is not None:
                await self._send(send, line("ERROR", encode(self._error.status())))
            if self._watch is not None:
                await self._stream(self._watch, receive, send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            if self._watch is not None:
                self._watch.close()

    async def _stream(self, watch: Watch, receive: Receive, send: Send) -> None:
        gone = asyncio.create_task(_close_when_gone(watch, receive))
        try:
            await self._events(watch, send)
        finally:
            gone.cancel()

    async def _events(self, watch: Watch, send: Send) -> None:
        end = time.monotonic() + self._style.seconds
        # Real servers send headers and then nothing; an empty chunk makes ours leave the buffer.
        await self._send(send, b"")
        while (left := end - time.monotonic()) > 0:
            sights = await watch.next(min(left, BOOKMARK_SECONDS))
            if sights is None:
                return
            if sights:
                await self._send(send, b"".join(map(self._line, sights)))
            elif self._style.bookmarks:
                await self._send(send, self._bookmark())

    async def _send(self, send: Send, body: bytes) -> None:
        await send({"type": "http.response.body", "body": body, "more_body": True})

    def _line(self, sight: Sight) -> bytes:
        style = self._style
        if not style.table:
            return line(sight.change.value, item_bytes(style.resource, sight.item))
        value = as_version(style.resource, sight.item.value)
        revision = str(sight.item.revision)
        table = table_of(style.resource, [value], self._machine.clock(), style.include_object, revision)
        if self._headed:
            table["columnDefinitions"] = []
        self._headed = True
        return line(sight.change.value, encode(table))

    def _bookmark(self) -> bytes:
        """Everything up to this revision was sent: the queue was empty when it was read."""
        style, revision = self._style, str(self._machine.store.revision)
        if style.table:
            table = table_of(style.resource, [], self._machine.clock(), style.include_object, revision)
            return line("BOOKMARK", encode({**table, "columnDefinitions": []}))
        metadata = {"resourceVersion": revision, "creationTimestamp": None}
        body = {"kind": style.resource.kind, "apiVersion": style.resource.api_version, "metadata": metadata}
        return line("BOOKMARK", encode(body))


async def _close_when_gone(watch: Watch, receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    watch.close()
