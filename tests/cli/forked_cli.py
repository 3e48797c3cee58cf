"""Run many command lines as real processes, quickly: each is forked from one that has the modules already.

    python forked_cli.py < orders.json > ends.json

orders: [[argv, …], …]; ends: per order {status, stdout, stderr}, and at last the number of processes that one of them
left behind: this process adopts whatever its grandchildren's parents leave.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import sys
import tempfile
import traceback
from typing import Any

PR_SET_CHILD_SUBREAPER = 36
SECONDS = 30  # a command that takes longer is ended by SIGALRM, and its status says so


def main() -> None:
    orders = json.load(sys.stdin)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    for module in ("main", "run", "lifecycle", "knowledge"):
        importlib.import_module(f"bgplab.cli.{module}")
    importlib.import_module("bgplab.spec.loading")
    ends = [end_of(argv) for argv in orders]
    json.dump({"ends": ends, "left_behind": left_behind()}, sys.stdout)


def end_of(argv: list[str]) -> dict[str, Any]:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = os.fork()
        if pid == 0:
            _become(argv, out.fileno(), err.fileno())
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        for file in (out, err):
            file.seek(0)
        return {"status": status, "stdout": out.read().decode(), "stderr": err.read().decode()}


def _become(argv: list[str], out: int, err: int) -> None:
    """The command line, as its console script runs it; never returns."""
    os.dup2(out, 1)
    os.dup2(err, 2)
    signal.alarm(SECONDS)
    sys.argv = ["bgp-lab", *argv]
    status = 70
    try:
        importlib.import_module("bgplab.cli.main").main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def left_behind() -> int:
    count = 0
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return count
        count += 1
        if pid == 0:
            return count


if __name__ == "__main__":
    main()
