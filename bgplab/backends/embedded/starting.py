"""A lab's PID 1 and daemon from the launcher's side, from the first process to `ready`."""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bgplab.backends.embedded.daemon.line import Line
from bgplab.backends.embedded.ending import kill
from bgplab.errors import BgpLabError, LabError, MachineError
from bgplab.lab import directory as labs

TIMEOUT_SECONDS = 120.0
DEFAULT_GRACE_SECONDS = 20.0

#: The module whose `main` the daemon runs.
DAEMON = "bgplab.backends.embedded.daemon.main"

SOURCE = Path(__file__).parents[3]
_PID1 = (
    "import sys; sys.path.insert(0, {!r}); from bgplab.backends.embedded.daemon.pid1 import main; main(sys.argv[1:])"
)


class Starting:
    """A lab that is being started, detached, before it knows which one it is: it loads what every lab needs.

    Whoever lets go of it ends it. What goes wrong before it has a log of its own is in memory.
    """

    def __init__(self) -> None:
        self._over = False
        self._said = os.memfd_create("bgp-lab-starting")
        self._number, number = os.pipe()
        ours, theirs = socket.socketpair()
        ours.settimeout(TIMEOUT_SECONDS)
        self._line = Line(ours)
        # Neither the environment nor site-packages may slow it down or change it: the daemon is told where modules are.
        command = [sys.executable, "-I", "-S", "-c", _PID1.format(str(SOURCE))]
        modules = os.pathsep.join([str(SOURCE), *map(os.path.abspath, filter(os.path.exists, sys.path))])
        try:
            self._process = subprocess.Popen(
                [*command, str(number), str(theirs.fileno()), DAEMON, modules, str(labs.state_directory())],
                stdin=subprocess.DEVNULL,
                stdout=self._said,
                stderr=self._said,
                pass_fds=[number, theirs.fileno()],
                start_new_session=True,
                cwd="/",
                env=_environment(),
            )
        finally:
            os.close(number)
            theirs.close()

    @property
    def pid(self) -> int:
        """The lab's PID 1, as this machine counts. Raises MachineError when its namespaces could not be made."""
        if not self._reported:
            raise MachineError(
                f"the lab's namespaces could not be made: {_last_line(self.said)}",
                "unprivileged user namespaces must be allowed: sysctl user.max_user_namespaces > 0,"
                " kernel.unprivileged_userns_clone=1 (Debian),"
                " kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu 24.04);"
                " in a container: --security-opt seccomp=unconfined --security-opt systempaths=unconfined",
            )
        return int(self._reported)

    @functools.cached_property
    def _reported(self) -> str:
        """PID 1's number, once the namespaces stand; empty when they do not. Read once: then the pipe is closed."""
        with os.fdopen(self._number) as file:
            said = file.read().strip()
        self._process.wait()
        return said

    @property
    def said(self) -> str:
        """What it had to say before it had a log."""
        return os.pread(self._said, 1 << 20, 0).decode(errors="replace")

    def tell(self, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        """What the lab is waiting for. If it has gone, `pid` and `follow` say why."""
        with contextlib.suppress(ConnectionError):
            self._line.send(message, descriptors)

    def follow(self, say: Callable[[str], None]) -> None:
        """Pass phases on until the lab says it is ready. Raises what it says went wrong."""
        at = time.monotonic() + TIMEOUT_SECONDS
        while True:
            try:
                message = self._line.receive(max(0.01, at - time.monotonic()))
            except TimeoutError as late:
                raise LabError(f"the lab did not come up within {TIMEOUT_SECONDS:.0f} s") from late
            if message is None:
                raise LabError(f"the lab ended while it started (log: {labs.state_directory()}/last-failed-start.log)")
            if "phase" in message:
                say(message["phase"])
            elif "failed" in message:
                raise _error_for(message)
            elif "ready" in message:
                return

    def close(self) -> None:
        """Let go of it; once is enough."""
        if not self._over:
            self._over = True
            self._line.close()
            os.close(self._said)

    def kill(self) -> None:
        """End it, whatever it is doing, unless it has been let go of."""
        if not self._over:
            with contextlib.suppress(MachineError):
                kill(self.pid)
            self.close()


def _environment() -> dict[str, str]:
    kept = ("PATH", "HOME", "LANG", "BGPLAB_USERLAND", "BGPLAB_CACHE")
    return {name: os.environ[name] for name in kept if name in os.environ}


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason was given"


def _error_for(message: dict[str, Any]) -> BgpLabError:
    if message["exit_status"] == MachineError.exit_status:
        return MachineError(str(message["failed"]))
    return LabError(str(message["failed"]))
