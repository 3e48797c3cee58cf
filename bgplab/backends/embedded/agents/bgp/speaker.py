"""One gobgpd on a node: started, told what to run, listened to, ended. A speaker that died stays dead; make another."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from bgplab.backends.embedded.agents.bgp.client import GobgpClient, SpeakerError
from bgplab.backends.embedded.agents.bgp.model import Instance, Prefix, Server, SessionChange
from bgplab.backends.embedded.agents.bgp.plan import (
    Action,
    AddPath,
    AddPeer,
    AddPolicy,
    DeletePath,
    DeletePeer,
    RemovePolicy,
    SoftResetOut,
    UpdatePeer,
    after,
    plan,
)
from bgplab.backends.embedded.hosts.handle import HostHandle, HostProcess
from bgplab.errors import LabError
from bgplab.lab.waiting import Deadline, wait_until

log = logging.getLogger(__name__)

GOBGPD = "/usr/bin/gobgpd"
SHARED_INSIDE = "/run/lab"
START_SECONDS = 10.0
END_SECONDS = 5.0


class Gobgpd:
    """A gobgpd process that waits to be told anything. Held ready on a node without BGP: starting one takes 20-60 ms.

    number: tells apart the sockets of several on a node; the first one's is `gobgp.sock`.
    """

    def __init__(self, host: HostHandle, number: int = 0) -> None:
        """Start it. Raises LabError when it does not come up."""
        self.number = number
        stem = "gobgp" if number == 0 else f"gobgp-{number}"
        path = host.shared / f"{stem}.sock"
        path.unlink(missing_ok=True)  # of one that was killed: waiting would find it at once
        self._process = _spawn(host, stem)
        try:
            _await_listener(path, self._process)
            self.client = GobgpClient(path)
        except BaseException:
            self._process.kill(signal.SIGKILL)
            raise

    def kill(self) -> None:
        """End it without a word to anybody, as when the agent dies: TCP closes, neighbours keep stale routes."""
        self._process.kill(signal.SIGKILL)
        self._process.wait(END_SECONDS)
        self.client.close()


class Speaker:
    """A gobgpd that plays one BGP instance, and what it was told so far.

    `apply` is for one thread at a time, all else for any. alive: False once gobgpd is gone (its event stream ended).
    on_change: called from a thread of the speaker's after each change of a session, and when the speaker dies.
    """

    def __init__(self, label: str, gobgpd: Gobgpd, name: str, server: Server, on_change: Callable[[], None]) -> None:
        """Have a fresh process speak BGP. Raises SpeakerError, and ends the process, when it cannot."""
        self.gobgpd = gobgpd
        self.client = gobgpd.client
        self.running = Instance(name, server)
        self._label = f"{label}: {name}"
        self._on_change = on_change
        self._uuids: dict[Prefix, bytes] = {}
        try:
            self.client.start(server)
        except SpeakerError:
            gobgpd.kill()
            raise
        self.alive = True
        changes = self.client.watch()  # before any peer is added
        threading.Thread(target=self._listen, args=(changes,), name=f"bgp {self._label}", daemon=True).start()

    def apply(self, wanted: Instance) -> bool:
        """Make it so; False when it was so already. Raises SpeakerError; what was done until then is remembered."""
        actions = plan(self.running, wanted)
        for action in actions:
            log.debug("%s: %s", self._label, action)
            self._do(action)
            self.running = after(self.running, action)
        return bool(actions)

    def stop(self) -> None:
        """End all sessions with a Cease, as when an instance is taken away from a node; then end the process."""
        try:
            self.client.stop()
        except SpeakerError as fault:
            log.warning("%s: not stopped in order, killed: %s", self._label, fault)
        self.kill()

    def kill(self) -> None:
        """End it without a word."""
        self.gobgpd.kill()

    def _do(self, action: Action) -> None:
        match action:
            case AddPath(prefix):
                self._uuids[prefix] = self.client.add_path(prefix)
            case DeletePath(prefix):
                self.client.delete_path(self._uuids[prefix])
                del self._uuids[prefix]
            case AddPolicy(policy):
                self.client.add_policy(policy)
            case RemovePolicy(policy):
                self.client.remove_policy(policy)
            case SoftResetOut(address):
                self.client.soft_reset_out(address)
            case DeletePeer(peer):
                self.client.delete_peer(peer.address)
            case UpdatePeer(peer, reset):
                self.client.update_peer(peer, reset)
            case AddPeer(peer):
                self.client.add_peer(peer)

    def _listen(self, changes: Iterable[SessionChange]) -> None:
        for change in changes:
            if change.state is not None:
                log.info("%s: session to %s %s", self._label, change.address, change.state)
            self._on_change()
        self.alive = False
        self._on_change()


def _spawn(host: HostHandle, stem: str) -> HostProcess:
    # --metrics-path: without it --pprof-disable alone leaves 127.0.0.1:6060 open (speakers.md).
    argv = [GOBGPD, "--api-hosts", f"unix://{SHARED_INSIDE}/{stem}.sock"]
    argv += ["--pprof-disable", "--metrics-path", "", "--log-plain"]
    output = os.open(host.shared / f"{stem}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        return host.spawn(argv, stdout=output, stderr=output)
    finally:
        os.close(output)


def _await_listener(path: Path, process: HostProcess) -> None:
    """Wait until somebody listens: a gRPC channel that is refused once would pause for 0.1 s or more."""

    def look() -> str:
        if process.wait(0) is not None:
            return "gobgpd has ended"
        with socket.socket(socket.AF_UNIX) as knock:
            knock.connect(str(path))
        return "listening"

    seen = wait_until(look, bool, Deadline.after(START_SECONDS), f"gobgpd on {path}", every=0.002, transient=(OSError,))
    if seen != "listening":
        raise LabError(f"{seen} at once: see {path.with_suffix('.log')}")
