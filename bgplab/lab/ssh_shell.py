"""A host's shell over SSH, by Fabric: whatever an ssh_config can describe (ports, keys, jump hosts) works.

Commands run on sessions of Fabric's connection and are read as they arrive; Fabric's own `run` polls (10 ms a round)
and writes standard input a character at a time.
"""

from __future__ import annotations

import getpass
import os
import shlex
import socket
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bgplab.errors import CommandFailed, LabError
from bgplab.lab.shell import Completed

if TYPE_CHECKING:
    from fabric import Connection
    from paramiko import Channel

CONNECT_TIMEOUT_SECONDS = 10
_PID_MARK = "bgp-lab-pid "


def open_shell(name: str, ssh_config: Path, *, sudo: bool = False) -> SshShell:
    """A shell for the entry `name` of an ssh_config. It connects at the first command."""
    from fabric import Config, Connection

    _have_a_user_name()
    config = Config(runtime_ssh_path=str(ssh_config), lazy=False)
    connection = Connection(name, config=config, connect_timeout=CONNECT_TIMEOUT_SECONDS)
    _judge_host_keys(connection)
    return SshShell(name, connection, sudo=sudo)


def _have_a_user_name() -> None:
    """Paramiko asks for it at every entry, whoever that logs in as; in containers a uid often has none in passwd."""
    try:
        getpass.getuser()
    except (KeyError, OSError):  # OSError since Python 3.13
        os.environ["LOGNAME"] = str(os.getuid())


def _judge_host_keys(connection: Connection) -> None:
    """As OpenSSH does: an unknown host key is refused unless the ssh_config says StrictHostKeyChecking no."""
    from paramiko import AutoAddPolicy, RejectPolicy

    settings: dict[str, Any] = connection.ssh_config
    strict = settings.get("stricthostkeychecking", "yes") not in ("no", "off", "accept-new")
    connection.client.set_missing_host_key_policy(RejectPolicy() if strict else AutoAddPolicy())
    for path in str(settings.get("userknownhostsfile", "~/.ssh/known_hosts")).split():
        known = Path(path).expanduser()
        if known.is_file():
            connection.client.load_host_keys(str(known))


def _send_at_once(connection: Connection) -> None:
    """Without this every second command waits 40 ms for a delayed acknowledgement (paramiko leaves Nagle on)."""
    end = connection.transport.sock
    if isinstance(end, socket.socket):  # a jump host's channel is none
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class SshShell:
    """The Shell protocol over one Fabric connection; safe to use from several threads."""

    def __init__(self, name: str, connection: Connection, *, sudo: bool) -> None:
        self.name = name
        self._connection = connection
        self._sudo = ("sudo", "-n", "--") if sudo else ()
        self._opening = threading.Lock()

    def run(self, argv: Sequence[str], *, stdin: str = "", timeout: float = 30.0, check: bool = True) -> Completed:
        return self._run(argv, stdin.encode(), timeout, check)

    def _run(self, argv: Sequence[str], stdin: bytes, timeout: float, check: bool) -> Completed:
        from paramiko import SSHException

        started = time.monotonic()
        channel = self._session(timeout)
        try:
            _begin(channel, self._command(argv), stdin)
            out, err = _read_both(channel, started + timeout)
            status = channel.recv_exit_status()
            if status < 0:
                raise OSError("it was closed without an exit status")
        except TimeoutError as late:
            raise LabError(f"{self.name}: `{shlex.join(argv)}` did not end within {timeout:g} s") from late
        except (OSError, EOFError, SSHException) as fault:
            raise LabError(f"{self.name}: the connection broke during `{shlex.join(argv)}`: {fault}") from fault
        finally:
            channel.close()
        done = Completed(tuple(argv), status, out, err, time.monotonic() - started)
        if check and status != 0:
            raise CommandFailed(self.name, argv, status, out, err)
        return done

    def start(
        self, argv: Sequence[str], *, stdin: str = "", on_line: Callable[[str], None] | None = None
    ) -> RunningOverSsh:
        channel = self._session(CONNECT_TIMEOUT_SECONDS)
        # The wrapping shell says its number and becomes the command, so that stop() can signal exactly it.
        wrapped = ["sh", "-c", f'echo "{_PID_MARK}$$" >&2; exec "$@"', "sh", *argv]
        from paramiko import SSHException

        try:
            _begin(channel, self._command(wrapped), stdin.encode())
        except (OSError, EOFError, SSHException) as fault:
            channel.close()
            raise LabError(f"{self.name}: `{shlex.join(argv)}` could not be started: {fault}") from fault
        return RunningOverSsh(self, tuple(argv), channel, on_line)

    def put(self, content: bytes, path: str, mode: int = 0o644) -> None:
        # By a command, not by SFTP: its one cached channel may have been closed, and then nobody opens it again.
        script = (
            'mkdir -p "$(dirname "$1")" && cat > "$1.bgp-lab" && chmod "$0" "$1.bgp-lab" && mv -f "$1.bgp-lab" "$1"'
        )
        self._run(["sh", "-c", script, f"{mode:o}", path], content, 60.0, True)

    def read(self, path: str) -> bytes:
        return self.run(["cat", path]).stdout.encode()

    def close(self) -> None:
        self._connection.close()

    def _command(self, argv: Sequence[str]) -> str:
        return shlex.join([*self._sudo, *argv])

    def _session(self, timeout: float) -> Channel:
        from paramiko import SSHException

        try:
            try:
                return self._open_session(timeout)
            except (EOFError, SSHException):
                # The connection had just died. Nothing has been asked for yet, so a new one may be tried, once.
                return self._open_session(timeout)
        except (OSError, EOFError, SSHException) as fault:
            raise LabError(f"{self.name}: no SSH session: {type(fault).__name__}: {fault}") from fault

    def _open_session(self, timeout: float) -> Channel:
        with self._opening:
            if not self._connection.is_connected:
                self._connection.open()
                _send_at_once(self._connection)
            transport = self._connection.transport
        channel: Channel = transport.open_session(timeout=timeout)
        return channel


class RunningOverSsh:
    """A command under way; its output is collected by a thread of its own."""

    def __init__(
        self, shell: SshShell, argv: tuple[str, ...], channel: Channel, on_line: Callable[[str], None] | None
    ) -> None:
        self._shell, self._argv, self._channel, self._on_line = shell, argv, channel, on_line
        self._started = time.monotonic()
        self._out: list[str] = []
        self._err: list[str] = []
        self._pid: list[str] = []
        self._began = threading.Event()
        self._threads = [
            threading.Thread(target=self._collect, args=(channel.makefile("rb"), self._out, on_line), daemon=True),
            threading.Thread(target=self._collect, args=(channel.makefile_stderr("rb"), self._err, None), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def wait(self, timeout: float) -> Completed:
        at = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, at - time.monotonic()))
        if any(thread.is_alive() for thread in self._threads):
            self.stop()
            raise LabError(f"{self._shell.name}: `{shlex.join(self._argv)}` did not end within {timeout:g} s")
        return self._completed()

    def stop(self) -> Completed:
        self._began.wait(CONNECT_TIMEOUT_SECONDS)
        if self._pid and any(thread.is_alive() for thread in self._threads):
            self._shell.run(["kill", "-INT", *self._pid], check=False)
        for thread in self._threads:
            thread.join(10)
        return self._completed()

    def _collect(self, stream: Any, into: list[str], on_line: Callable[[str], None] | None) -> None:
        for raw in stream:
            line = raw.decode(errors="replace")
            if into is self._err and line.startswith(_PID_MARK):
                self._pid.append(line.removeprefix(_PID_MARK).strip())
                self._began.set()
                continue
            into.append(line)
            if on_line:
                on_line(line.rstrip("\n"))
        self._began.set()

    def _completed(self) -> Completed:
        status = self._channel.recv_exit_status() if self._channel.exit_status_ready() else -1
        self._channel.close()
        out, err = "".join(self._out), "".join(self._err)
        return Completed(self._argv, status, out, err, time.monotonic() - self._started)


def _begin(channel: Channel, command: str, stdin: bytes) -> None:
    """Start a command with its standard input.

    Without input it reads /dev/null, and no end-of-file is sent: paramiko may send one after it has answered the close
    of a command that ended at once, and a server must break the whole connection over that (RFC 4254, 5.3).
    """
    if not stdin:
        channel.exec_command(f"{command} </dev/null")
        return
    channel.exec_command(command)
    channel.sendall(stdin)
    channel.shutdown_write()


def _read_both(channel: Channel, at: float) -> tuple[str, str]:
    """Both outputs to their ends, whole. Raises TimeoutError at the monotonic moment `at`."""
    out: list[bytes] = []
    err: list[bytes] = []
    reader = threading.Thread(target=_read_errors, args=(channel, err), daemon=True)
    reader.start()
    while True:
        channel.settimeout(max(0.001, at - time.monotonic()))
        data = channel.recv(1 << 16)
        if not data:
            break
        out.append(data)
    reader.join(max(0.001, at - time.monotonic()))
    channel.settimeout(max(0.001, at - time.monotonic()))
    if not channel.status_event.wait(max(0.001, at - time.monotonic())):
        raise TimeoutError
    return b"".join(out).decode(errors="replace"), b"".join(err).decode(errors="replace")


def _read_errors(channel: Channel, into: list[bytes]) -> None:
    try:
        while data := channel.recv_stderr(1 << 16):
            into.append(data)
    except OSError:
        return
