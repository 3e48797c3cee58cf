"""The few kinds of error, by who must act; each has its exit status. A failed check is a verdict, not an error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: Characters of what was last seen that a message shows; the whole is in the exception's `last_seen`.
LONGEST_SIGHT = 300


class BgpLabError(Exception):
    """Base of all errors a user may see. `exit_status` is what the command line ends with."""

    exit_status = 4


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with an input: where it is, what it is, why it matters, what to do."""

    where: str
    what: str
    why: str = ""
    do: str = ""

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.what}"]
        if self.why:
            lines.append(f"  why: {self.why}")
        if self.do:
            lines.append(f"  do:  {self.do}")
        return "\n".join(lines)


class InputError(BgpLabError):
    """The user's input is wrong; nothing was changed. Carries every problem found, not only the first."""

    exit_status = 2

    def __init__(
        self, where: str = "", what: str = "", why: str = "", do: str = "", *, problems: Sequence[Problem] = ()
    ) -> None:
        self.problems = tuple(problems) or (Problem(where, what, why, do),)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class MachineError(BgpLabError):
    """This machine lacks something the lab needs; `do` says what to install or allow."""

    exit_status = 3

    def __init__(self, what: str, do: str = "") -> None:
        self.what, self.do = what, do
        super().__init__(f"{what}\n  do:  {do}" if do else what)


class LabError(BgpLabError):
    """The lab itself broke: a host, a daemon or the cluster did not do what it must."""


class CommandFailed(LabError):
    """A command on a host or in a pod ended with a status other than 0."""

    def __init__(self, host: str, argv: Sequence[str], exit_status: int, stdout: str, stderr: str) -> None:
        self.host, self.argv = host, tuple(argv)
        self.command_status, self.stdout, self.stderr = exit_status, stdout, stderr
        said = (stderr.strip() or stdout.strip())[-400:]
        super().__init__(f"{host}: `{' '.join(argv)}` ended with status {exit_status}: {said}")


class DeadlineExceeded(LabError):
    """Something did not become true in time. `last_seen` is what was there when patience ended."""

    def __init__(self, what: str, seconds: float, last_seen: object) -> None:
        self.what, self.seconds, self.last_seen = what, seconds, last_seen
        seen = str(last_seen)
        told = seen if len(seen) <= LONGEST_SIGHT else f"{seen[:LONGEST_SIGHT]} …"
        super().__init__(f"{what}: not so within {seconds:.1f} s; last seen: {told}")
