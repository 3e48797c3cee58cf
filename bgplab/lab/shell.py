"""The seam to a host: argv in, exit status and output out, with a time limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Completed:
    """What a command left behind. `seconds` is wall-clock time as seen by the caller."""

    argv: tuple[str, ...]
    exit_status: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def lines(self) -> list[str]:
        return self.stdout.splitlines()


class Running(Protocol):
    """A command that was started and not yet waited for."""

    def wait(self, timeout: float) -> Completed:
        """Wait for its end. Raises LabError when it does not end in time (and ends it)."""

    def stop(self) -> Completed:
        """Send it SIGINT (as Ctrl-C) and wait for its end; its output so far is kept."""


class Shell(Protocol):
    """One host's shell.

    `run` raises CommandFailed when check is true and the status is not 0, LabError when the host cannot be reached
    or the time limit (seconds) is over.
    """

    name: str

    def run(self, argv: Sequence[str], *, stdin: str = "", timeout: float = 30.0, check: bool = True) -> Completed: ...

    def start(self, argv: Sequence[str], *, stdin: str = "", on_line: Callable[[str], None] | None = None) -> Running:
        """Start a command in the background; `on_line` is called with each line of its standard output."""

    def put(self, content: bytes, path: str, mode: int = 0o644) -> None:
        """Write a file on the host, whole or not at all."""

    def read(self, path: str) -> bytes:
        """A file's content. Raises CommandFailed when it cannot be read."""
