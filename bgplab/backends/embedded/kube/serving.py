"""uvicorn for a server inside another program: given sockets, TLS with optional client certificates, quiet."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator, Sequence
from typing import Any

import uvicorn
import websockets.http11
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

GRACE_SECONDS = 0.5

#: Of a request's line, as in a real API server (Go's http.DefaultMaxHeaderBytes). A command stands in its URL: with a
#: hundred pods to ask it is longer than the 8192 that websockets would take, and uvicorn would never answer.
LONGEST_LINE_BYTES = 1 << 20
websockets.http11.MAX_LINE_LENGTH = LONGEST_LINE_BYTES


class KubeProtocol(HttpToolsProtocol):
    """Notes the client's certificate where the application finds it: `scope["state"]["client_certificate"]`."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        # asyncio sets this only for sockets made with proto=IPPROTO_TCP; without it headers and body, written
        # separately, meet the client's delayed ACK: 44 ms for a GET instead of 1 (measured).
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.app_state = {**self.app_state, "client_certificate": transport.get_extra_info("peercert")}


class EmbeddedServer(uvicorn.Server):
    """Leaves the program's signals alone, and stops at once: no ticking, no waiting for idle clients to hang up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        self._stopping.set()

    async def main_loop(self) -> None:
        await self._stopping.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no new connections, let running answers end, then cut: a TLS client that idles would never close."""
        for server in self.servers:
            server.close()
        if running := set(self.server_state.tasks):
            _, late = await asyncio.wait(running, timeout=GRACE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)


def embedded_server(app: ASGIApp, cert_file: str, key_file: str, client_ca_file: str | None) -> EmbeddedServer:
    config = uvicorn.Config(
        app,
        http=KubeProtocol,
        ws="websockets-sansio",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=600,
        ws_max_size=1 << 24,
        ws_per_message_deflate=False,
        ssl_certfile=cert_file,
        ssl_keyfile=key_file,
        ssl_ca_certs=client_ca_file,
        ssl_cert_reqs=ssl.CERT_OPTIONAL if client_ca_file else ssl.CERT_NONE,
    )
    return EmbeddedServer(config)


async def serve_on(server: EmbeddedServer, sockets: Sequence[socket.socket]) -> None:
    """Serve until `server.stop`."""
    for each in sockets:
        each.setblocking(False)
    await server.serve(sockets=list(sockets))
