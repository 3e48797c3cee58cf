"""A box around the benchmarks: namespaces that end, with every process in them, when whoever started them ends.

Whatever a benchmark starts, ours or somebody else's, is in the box's PID namespace; mounts, and network namespaces
pinned by mounts, are in its mount namespace. So an interrupt, or SIGKILL, at any moment leaves nothing.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1

#: A shell is PID 1: it reaps what others leave behind, which Python would not.
_REAPING = ("sh", "-c", '"$@"; exit $?', "sh")


def boxed(argv: Sequence[str], *, network: bool = False) -> list[str]:
    """The command that runs another one in a box; with `network`, also in a network namespace of its own."""
    root = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    spaces = [
        "--mount",
        "--pid",
        "--ipc",
        "--fork",
        "--kill-child",
        "--mount-proc",
        *(["--net", "--uts"] if network else []),
    ]
    return ["unshare", *root, *spaces, *_REAPING, *argv]


def run_in_box(
    argv: Sequence[str], *, network: bool = False, environment: Mapping[str, str] | None = None, cwd: Path | None = None
) -> int:
    """Run to the end; the exit status. Interrupting this ends the box."""
    process = start_in_box(argv, network=network, environment=environment, cwd=cwd)
    try:
        return process.wait()
    except KeyboardInterrupt:
        try:
            return process.wait(timeout=15)  # it has got the same signal from the terminal, and tidies up
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            return 130
    finally:
        process.kill()
        process.wait()


def start_in_box(
    argv: Sequence[str],
    *,
    network: bool = False,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stderr: int | None = None,
) -> subprocess.Popen[str]:
    """Start a command in a box that ends with this process, however that ends. With `stderr` its output is piped."""
    return subprocess.Popen(
        boxed(argv, network=network),
        env={**os.environ, **(environment or {})},
        cwd=cwd,
        stdout=None if stderr is None else subprocess.PIPE,
        stderr=stderr,
        stdin=subprocess.DEVNULL,
        text=True,
        preexec_fn=_before_exec,
    )


def mount_tmpfs(path: Path) -> None:
    """A file system of the box's own, gone with it."""
    path.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(path)], check=True)


def _before_exec() -> None:
    """End with the parent; and no signal is ignored because somebody started us with nohup or `&` (munet ends its
    namespaces by SIGHUP, and waits 30 s for each that ignores it)."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
