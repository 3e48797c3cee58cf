"""PID 1 of a lab: reaps, makes hosts on request, and ends when the daemon, its one child, ends.

With it the kernel ends every process of the lab, and with them go their namespaces, interfaces, routes and rules.
It is started outside the lab, enters new namespaces itself, and never loads anything but the standard library,
because every host's init is a fork of it. So is the daemon, which loads what it needs after the fork: a new interpreter
would load all this again.
"""

from __future__ import annotations

import importlib
import json
import os
import selectors
import signal
import socket
import sys
import traceback
from typing import Any

from bgplab.backends.embedded.hosts import kernel
from bgplab.backends.embedded.hosts.init import HostPlan, receive, run_as_init, send, write_sysctls

LAB_NAMESPACES = kernel.CLONE_NEWPID | kernel.CLONE_NEWNS | kernel.CLONE_NEWNET | kernel.CLONE_NEWUTS
#: A host gets the others itself, once its mounts are made (hosts/init.py).
HOST_NAMESPACES = kernel.CLONE_NEWPID | kernel.CLONE_NEWNS

#: The lab's own network namespace only switches: it forwards no IP and its bridges pass nothing to netfilter.
LAB_SYSCTLS = {
    "net.ipv6.conf.all.disable_ipv6": "1",
    "net.ipv6.conf.default.disable_ipv6": "1",
    "net.ipv4.ip_forward": "0",
    "-net.bridge.bridge-nf-call-iptables": "0",
}


def enter_namespaces() -> None:
    """Always with a user namespace, for root too: what a lab's host may do must not depend on who started it."""
    user, group = os.getuid(), os.getgid()
    kernel.unshare(kernel.CLONE_NEWUSER)
    kernel.map_root_to(user, group)
    kernel.unshare(LAB_NAMESPACES)


def prepare_lab_root() -> None:
    """The lab's own mounts: its /proc, and a private /run for short socket paths."""
    kernel.make_mounts_private()
    kernel.mount("proc", "/proc", "proc")
    kernel.mount("tmpfs", "/run", "tmpfs", kernel.MS_NOSUID, "mode=0700")
    socket.sethostname("bgp-lab")
    write_sysctls(LAB_SYSCTLS)


def start_daemon(module: str, modules: str, line: int, requests: socket.socket, ours: socket.socket) -> int:
    """Fork the daemon: a module's `main`, imported by name and after the fork, since PID 1 must not load it."""
    pid = os.fork()
    if pid == 0:
        try:
            ours.close()
            kernel.set_process_title(module)
            importlib.import_module(module).main(line, requests, modules)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    return pid


def make_host(message: dict[str, Any], channel: socket.socket, not_for_hosts: list[int]) -> None:
    """Fork twice: the first child makes the namespaces, the second becomes PID 1 in them."""
    if os.fork():
        channel.close()
        return
    try:
        for descriptor in not_for_hosts:
            os.close(descriptor)
        kernel.unshare(HOST_NAMESPACES)
        if os.fork():
            os._exit(0)
        run_as_init(HostPlan.from_json(json.dumps(message["plan"])), channel)
    except BaseException as fault:
        send(channel, {"error": f"{type(fault).__name__}: {fault}"})
    finally:
        os._exit(1)


class Reaper:
    """The loop of PID 1: requests for hosts, and ends of children until the daemon's own."""

    def __init__(self, daemon: int, requests: socket.socket, not_for_hosts: list[int]) -> None:
        self._daemon = daemon
        self._requests = requests
        self._not_for_hosts = not_for_hosts

    def serve(self) -> None:
        wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        not_for_hosts = [*self._not_for_hosts, self._requests.fileno(), wake_read, wake_write]
        selector = selectors.DefaultSelector()
        selector.register(self._requests, selectors.EVENT_READ)
        selector.register(wake_read, selectors.EVENT_READ)
        while True:
            ready = [key.fileobj for key, _ in selector.select()]
            if wake_read in ready:
                os.read(wake_read, 4096)
            self._reap()
            if self._requests in ready:
                message, descriptors = receive(self._requests)
                if message is None:
                    selector.unregister(self._requests)
                    continue
                make_host(message, socket.socket(fileno=descriptors[0]), [*not_for_hosts, selector.fileno()])

    def _reap(self) -> None:
        while True:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid == self._daemon:
                os._exit(0)
            if pid == 0:
                return


def main(argv: list[str]) -> None:
    """`pid1 REPORT-FD LINE-FD DAEMON MODULES STATE`: the report is one line, this PID 1's number as the caller sees it.

    The line to the launcher, and where Python finds modules, are for the daemon; the state directory for people.
    """
    report, line, module, modules, _ = int(argv[0]), int(argv[1]), *argv[2:]
    enter_namespaces()
    child = os.fork()
    if child:
        os.write(report, f"{child}\n".encode())
        os._exit(0)
    os.close(report)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # hosts inherit it; PID 1 itself is immune by being PID 1
    prepare_lab_root()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    daemon = start_daemon(module, modules, line, theirs, ours)
    theirs.close()
    os.close(line)
    Reaper(daemon, ours, []).serve()


if __name__ == "__main__":
    main(sys.argv[1:])
