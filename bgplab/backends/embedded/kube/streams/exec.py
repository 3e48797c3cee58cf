"""exec: a command in a pod, its streams over one WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass

from starlette.datastructures import QueryParams
from starlette.websockets import WebSocket, WebSocketDisconnect

from bgplab.backends.embedded.kube.errors import ApiError, bad_request
from bgplab.backends.embedded.kube.machine import Machine
from bgplab.backends.embedded.kube.runtime import Output, PodRuntime, Sizes
from bgplab.backends.embedded.kube.store.item import Value, encode
from bgplab.backends.embedded.kube.streams.channels import (
    PROTOCOLS,
    Channel,
    agreed_protocol,
    exit_status,
    failure_status,
    parsed_size,
)
from bgplab.backends.embedded.kube.streams.containers import chosen_container, needed, refuse_unless_running
from bgplab.backends.embedded.kube.streams.stdin import Stdin
from bgplab.backends.embedded.kube.verbs.request import Target

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be run, and which streams the client wants."""

    target: Target
    container: str
    argv: list[str]
    tty: bool
    stdin: bool
    stdout: bool
    stderr: bool


def order_of(machine: Machine, target: Target, query: QueryParams) -> Order:
    """The order in a request's query. Raises 400, 404."""

    def asked(name: str) -> bool:
        return query.get(name, "").lower() in ("true", "1")

    container = chosen_container(machine, target, query.get("container", ""))
    argv = query.getlist("command")
    if not argv:
        raise bad_request("you must specify at least 1 command: PodExecOptions.command: Required value")
    if not (asked("stdin") or asked("stdout") or asked("stderr")):
        raise bad_request("you must specify at least 1 of stdin, stdout, stderr")
    refuse_unless_running(machine.item(target).value, container)
    tty = asked("tty")
    return Order(target, container, argv, tty, asked("stdin"), asked("stdout"), asked("stderr") and not tty)


def refuse_spdy(machine: Machine, target: Target, query: QueryParams) -> ApiError:
    """Why an exec without WebSocket is refused: what is wrong with the order itself comes first.

    Clients that tried WebSocket before show their users this answer, not the first.
    """
    order_of(machine, target, query)
    return bad_request(
        f"unable to upgrade connection: this server streams over WebSocket ({', '.join(PROTOCOLS)}) only; "
        "kubectl 1.31 or newer uses it by itself"
    )


async def serve_exec(machine: Machine, target: Target, socket: WebSocket, runtime: PodRuntime | None) -> None:
    """Refuse before the upgrade (ApiError), or run to the end: exit status over the error channel, then close."""
    runner = needed(runtime)
    order = order_of(machine, target, socket.query_params)
    protocol = agreed_protocol(socket.scope.get("subprotocols", []))
    if protocol is None:
        raise bad_request(f"unable to upgrade: none of the client's protocols is one of {', '.join(PROTOCOLS)}")
    await socket.accept(subprotocol=protocol)
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        await Session(socket, order).run(runner)


class Session:
    """One exec: a reader of the client's messages beside the running command."""

    def __init__(self, socket: WebSocket, order: Order) -> None:
        self._socket = socket
        self._order = order
        self._stdin = Stdin() if order.stdin else None
        self._sizes: Sizes | None = asyncio.Queue() if order.tty else None
        self._sending = asyncio.Lock()

    async def run(self, runtime: PodRuntime) -> None:
        command = asyncio.create_task(self._command(runtime))
        reader = asyncio.create_task(self._read())
        await asyncio.wait({command, reader}, return_when=asyncio.FIRST_COMPLETED)
        if not command.done():  # the client went away
            command.cancel()
            await asyncio.gather(command, return_exceptions=True)
            return
        reader.cancel()
        await self._send(Channel.ERROR, encode(command.result()))
        await self._socket.close()

    async def _command(self, runtime: PodRuntime) -> Value:
        order = self._order
        try:
            code = await runtime.exec(
                order.target.namespace,
                order.target.name,
                order.container,
                order.argv,
                order.tty,
                self._stdin.reader if self._stdin else None,
                self._output(Channel.STDOUT, order.stdout),
                self._output(Channel.STDERR, order.stderr),
                self._sizes,
            )
        except Exception as fault:
            log.warning("exec in %s/%s: %s", order.target.namespace, order.target.name, fault)
            return failure_status(str(fault) or type(fault).__name__)
        return exit_status(code)

    def _output(self, channel: Channel, wanted: bool) -> Output:
        async def write(data: bytes) -> None:
            if wanted and data:
                await self._send(channel, data)

        return write

    async def _send(self, channel: Channel, data: bytes) -> None:
        async with self._sending:
            await self._socket.send_bytes(bytes([channel]) + data)

    async def _read(self) -> None:
        """Until the client goes: input, sizes, the end of input. Going away ends it without an error."""
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                message = await self._socket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                data = message.get("bytes") or (message.get("text") or "").encode()
                if data:
                    await self._take(data[0], data[1:])

    async def _take(self, channel: int, payload: bytes) -> None:
        if channel == Channel.STDIN and self._stdin is not None:
            await self._stdin.feed(payload)
        elif channel == Channel.CLOSE and payload[:1] == bytes([Channel.STDIN]) and self._stdin is not None:
            self._stdin.end()
        elif channel == Channel.RESIZE and self._sizes is not None and (size := parsed_size(payload)):
            self._sizes.put_nowait(size)
