"""What the agents of a node may do with a host or pod of the embedded lab: run things in its namespaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from bgplab.lab.shell import Completed


class HostProcess(Protocol):
    """A process that runs in a host's namespaces. `pid` is its number inside the host."""

    pid: int

    def kill(self, signal: int) -> None:
        """Send a signal; a process that has ended already is fine."""

    def wait(self, timeout: float | None = None) -> int | None:
        """Its exit status (128 + n for a signal n), or None when it still runs after `timeout` seconds."""


class HostHandle(Protocol):
    """One host or pod. All calls block, are safe from any thread, and never enter the namespaces from outside.

    netns: an open descriptor of its network namespace (for sockets that the daemon itself opens in there).
    shared: a directory of the daemon's that the host sees as `/run/lab` (for unix sockets and small files).
    """

    name: str
    netns: int
    shared: Path

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float = 30.0,
        env: Mapping[str, str] | None = None,
        check: bool = True,
    ) -> Completed:
        """Run to the end. Raises CommandFailed on a status other than 0 when `check`, LabError after `timeout`."""

    def spawn(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
    ) -> HostProcess:
        """Start a process. Descriptors are the caller's, duplicated into the process; None is /dev/null."""
