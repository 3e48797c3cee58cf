"""PID 1 of a host or pod: reaps, runs commands on request, keeps the system log. Standard library only.

It is forked (not executed) by the lab's PID 1 and talks to the daemon over one SEQPACKET socket, in JSON:

    → {"op": "spawn", "id": 7, "argv": [...], "env": {...}, "cwd": "/root", "tty": null | [rows, columns]}
      with the descriptors of stdin, stdout, stderr (none of them when a tty is asked for)
    ← {"id": 7, "pid": 42}, with the tty's master when asked for, or {"id": 7, "error": "..."}
    ← {"exited": 42, "status": 0}            128 + n for a signal n
    → {"op": "kill", "pid": 42, "signal": 9}           a negative pid is a process group, as in kill(2)
    → {"op": "resize", "pid": 42, "rows": 24, "columns": 80}
"""

from __future__ import annotations

import array
import fcntl
import json
import os
import selectors
import signal
import socket
import struct
import subprocess
import termios
from dataclasses import dataclass, field
from typing import Any

from bgplab.backends.embedded.hosts import kernel
from bgplab.backends.embedded.hosts.journal import Journal
from bgplab.backends.embedded.hosts.root import RootPlan, build_root, mount_sys

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LARGEST_MESSAGE = 180_000


@dataclass(frozen=True)
class HostPlan:
    """Everything PID 1 needs to turn its new namespaces into a host."""

    root: RootPlan
    sysctls: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, text: str) -> HostPlan:
        given = json.loads(text)
        return cls(RootPlan(**given["root"]), given["sysctls"])


def send(channel: socket.socket, message: dict[str, Any], descriptors: list[int] | None = None) -> None:
    data = json.dumps(message).encode()
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    channel.sendmsg([data], rights)


def receive(channel: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    """One message and the descriptors that came with it; None when the other side is gone."""
    try:
        data, descriptors, _, _ = socket.recv_fds(channel, LARGEST_MESSAGE + 20_000, 4)
    except ConnectionResetError:
        return None, []
    return (json.loads(data) if data else None), list(descriptors)


def run_as_init(plan: HostPlan, channel: socket.socket) -> None:
    """Build the host and serve until the daemon lets go of the channel."""
    try:
        kernel.set_process_title("/sbin/init")
        build_root(plan.root)
        enter_own_namespaces()
        socket.sethostname(plan.root.hostname)
        mount_sys("/sys")
        write_sysctls(plan.sysctls)
        journal = Journal(plan.root.hostname)
        _let_go_of_the_daemons_log()
        network = os.open("/proc/self/ns/net", os.O_RDONLY)
        send(channel, {"ready": True}, [network])
        os.close(network)
    except Exception as fault:  # the daemon must learn of anything that goes wrong in here
        send(channel, {"error": f"{type(fault).__name__}: {fault}"})
        return
    Init(channel, journal).serve()


def enter_own_namespaces() -> None:
    """Own a network from a user namespace below the lab's, so that the mounts made before can no longer be undone.

    Mounts that come from a more privileged namespace are locked (mount_namespaces(7)): root on the host can neither
    take read-only from them nor take them away, nor mount a /proc or /sys that shows more.
    """
    kernel.unshare(kernel.CLONE_NEWUSER)
    kernel.map_root_to(0, 0)
    kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWNET | kernel.CLONE_NEWUTS | kernel.CLONE_NEWIPC)


def _let_go_of_the_daemons_log() -> None:
    """Through /proc/1/fd root on the host could write to it, and it is a file of the machine's."""
    log = os.open("/var/log/init.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)


def write_sysctls(values: dict[str, str]) -> None:
    """Write what this kernel has; a name in `values` that starts with `-` may be missing (as sysctl.d(5) says)."""
    for name, value in values.items():
        path = "/proc/sys/" + name.lstrip("-").replace(".", "/")
        try:
            with open(path, "w") as file:
                file.write(value)
        except OSError:
            if not name.startswith("-"):
                raise


class Init:
    """The loop: requests from the daemon, ends of children, lines of the system log."""

    def __init__(self, channel: socket.socket, journal: Journal) -> None:
        self._channel = channel
        self._journal = journal
        self._masters: dict[int, int] = {}
        self._selector = selectors.DefaultSelector()

    def serve(self) -> None:
        wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector.register(self._channel, selectors.EVENT_READ, "request")
        self._selector.register(wake_read, selectors.EVENT_READ, "child")
        self._selector.register(self._journal.socket, selectors.EVENT_READ, "log")
        while True:
            for key, _ in self._selector.select():
                if key.data == "request":
                    message, descriptors = receive(self._channel)
                    if message is None:
                        return
                    self._answer(message, descriptors)
                elif key.data == "child":
                    os.read(wake_read, 4096)
                else:
                    self._journal.take()
            self._reap()

    def _answer(self, message: dict[str, Any], descriptors: list[int]) -> None:
        try:
            if message["op"] == "spawn":
                self._spawn(message, descriptors)
            elif message["op"] == "kill":
                os.kill(message["pid"], message["signal"])
            elif message["op"] == "resize":
                set_window_size(self._masters[message["pid"]], message["rows"], message["columns"])
        except (ProcessLookupError, KeyError):
            pass  # it has ended already
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _spawn(self, message: dict[str, Any], descriptors: list[int]) -> None:
        environment = {"PATH": PATH, "HOME": "/root", "USER": "root", "LANG": "C.UTF-8", **message.get("env", {})}
        opened: list[int] = []
        try:
            if message.get("tty"):
                master, slave = os.openpty()
                opened = [slave]
                set_window_size(master, *message["tty"])
                process = start(message["argv"], environment, message["cwd"], [slave] * 3, controlling_tty=True)
                self._masters[process.pid] = master
                send(self._channel, {"id": message["id"], "pid": process.pid}, [master])
            else:
                process = start(message["argv"], environment, message["cwd"], descriptors)
                send(self._channel, {"id": message["id"], "pid": process.pid})
        except OSError as fault:
            send(self._channel, {"id": message["id"], "error": f"{message['argv'][0]}: {fault.strerror or fault}"})
        finally:
            for descriptor in opened:
                os.close(descriptor)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            master = self._masters.pop(pid, None)
            if master is not None:
                os.close(master)
            code = os.waitstatus_to_exitcode(status)
            send(self._channel, {"exited": pid, "status": code if code >= 0 else 128 - code})


def start(
    argv: list[str], environment: dict[str, str], cwd: str, descriptors: list[int], *, controlling_tty: bool = False
) -> subprocess.Popen[bytes]:
    stdin, stdout, stderr = descriptors if descriptors else [subprocess.DEVNULL] * 3
    process = subprocess.Popen(
        argv,
        env=environment,
        cwd=cwd,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        preexec_fn=_take_tty if controlling_tty else None,
    )
    process.returncode = 0  # this process reaps by itself; Popen must not try to
    return process


def _take_tty() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def set_window_size(master: int, rows: int, columns: int) -> None:
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
