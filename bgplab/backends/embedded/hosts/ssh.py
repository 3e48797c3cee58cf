"""SSH into lab hosts: one loopback port and host key per host, one client key per lab, nothing forwarded.

Commands and file transfer (OpenSSH's own sftp-server) run inside the host, so that neither can touch the machine.
"""

from __future__ import annotations

import asyncio
import ctypes.util
import logging
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from bgplab.backends.embedded.hosts import streams
from bgplab.backends.embedded.hosts.switchboard import Host
from bgplab.errors import LabError

# While it is imported, asyncssh looks for liboqs and nettle, by starting ldconfig, gcc and ld. What it would use them
# for (sntrup761, umac) nobody needs on a loopback, and cryptography has the rest.
_find_library, ctypes.util.find_library = ctypes.util.find_library, lambda name: None
try:
    import asyncssh
finally:
    ctypes.util.find_library = _find_library

SFTP_SERVER = "/usr/lib/openssh/sftp-server"

logger = logging.getLogger(__name__)
logging.getLogger("asyncssh").setLevel(logging.WARNING)


@dataclass(frozen=True)
class SshKeys:
    """host_key, client_key: OpenSSH private keys as text (a key pair each); one host key serves the whole lab."""

    host_key: str
    client_key: str


class _HostSession(asyncssh.SSHServerProcess[bytes]):
    """A session whose every subsystem is a program inside the host.

    asyncssh would answer `sftp` itself, out of the daemon's own file system (facts: it escapes the host).
    """

    def subsystem_requested(self, subsystem: str) -> bool:
        return subsystem == "sftp"

    def session_started(self) -> None:
        assert self._chan is not None and self._conn is not None
        stdin = asyncssh.SSHReader[bytes](self, self._chan)
        stdout = asyncssh.SSHWriter[bytes](self, self._chan)
        stderr = asyncssh.SSHWriter[bytes](self, self._chan, asyncssh.EXTENDED_DATA_STDERR)
        handler = self._start_process(stdin, stdout, stderr)
        if handler is not None:
            self._conn.create_task(handler, stdin.logger)


class _Server(asyncssh.SSHServer):
    def __init__(self, host: Host) -> None:
        self._host = host

    def begin_auth(self, username: str) -> bool:
        return True

    def session_requested(self) -> asyncssh.SSHServerProcess[bytes]:
        async def handle(process: asyncssh.SSHServerProcess[bytes]) -> None:
            await _serve(process, self._host)

        return _HostSession(handle, None, 3, False)


async def listen(host: Host, listener: socket.socket, keys: SshKeys) -> asyncssh.SSHAcceptor:
    """Serve one host on an already bound loopback socket."""
    client = asyncssh.import_private_key(keys.client_key)
    authorized = asyncssh.import_authorized_keys(client.export_public_key().decode())

    return await asyncssh.listen(
        sock=listener,
        server_factory=lambda: _Server(host),
        server_host_keys=[asyncssh.import_private_key(keys.host_key)],
        authorized_client_keys=authorized,
        encoding=None,
        line_editor=False,
        agent_forwarding=False,
        x11_forwarding=False,
        compression_algs=["none"],
        keepalive_interval=0,
        login_timeout=20,
        # the terminal belongs to the host; asyncssh shall only carry bytes
        allow_pty=True,
    )


async def _serve(process: asyncssh.SSHServerProcess[bytes], host: Host) -> None:
    tty = _terminal(process)
    try:
        session = await streams.start(host, _argv(process), tty, _environment(process))
    except LabError as fault:
        process.stderr.write(f"{fault}\n".encode())
        process.exit(127)
        return
    watching = asyncio.create_task(_end_with_client(process, session))
    try:
        status = await streams.converse(session, _input(process, session), _sink(process.stdout), _sink(process.stderr))
        process.exit(status)
    except (BrokenPipeError, ConnectionError, asyncssh.Error):
        pass  # the client went away; its process was ended with it
    except Exception:
        # asyncssh would close the whole connection, and with it every other command under way on this host
        logger.exception("%s: a session failed: %s", host.name, process.command or process.subsystem or "shell")
        process.exit(255)
    finally:
        watching.cancel()


def _argv(process: asyncssh.SSHServerProcess[bytes]) -> list[str]:
    if process.subsystem == "sftp":
        return [SFTP_SERVER]
    if process.command is None:
        return ["/bin/bash", "-l"]
    return ["/bin/bash", "-c", process.command]


def _environment(process: asyncssh.SSHServerProcess[bytes]) -> dict[str, str]:
    terminal = process.get_terminal_type()
    return {"TERM": terminal} if terminal else {}


def _terminal(process: asyncssh.SSHServerProcess[bytes]) -> tuple[int, int] | None:
    if process.get_terminal_type() is None:  # "" is a terminal, too: of a client without $TERM
        return None
    columns, rows, *_ = process.get_terminal_size()
    return rows or 24, columns or 80


async def _input(process: asyncssh.SSHServerProcess[bytes], session: streams.Session) -> AsyncIterator[bytes]:
    while True:
        try:
            data = await process.stdin.read(streams.CHUNK)
        except asyncssh.TerminalSizeChanged as change:
            session.process.resize(change.height, change.width)
            continue
        except asyncssh.BreakReceived:
            continue
        except asyncssh.SignalReceived as received:
            _pass_on(received.signal, session)
            continue
        if not data:
            return
        yield data


def _pass_on(name: str, session: streams.Session) -> None:
    numbers: Mapping[str, int] = {"HUP": 1, "INT": 2, "QUIT": 3, "KILL": 9, "TERM": 15}
    if name in numbers:
        session.process.kill(numbers[name])


async def _end_with_client(process: asyncssh.SSHServerProcess[bytes], session: streams.Session) -> None:
    """A client that went away: its command must not live on, also when it says nothing that could fail to be sent."""
    await process.wait_closed()
    session.process.end()


def _sink(writer: asyncssh.SSHWriter[bytes]) -> streams.Sink:
    async def write(data: bytes) -> None:
        writer.write(data)
        await writer.drain()

    return write
