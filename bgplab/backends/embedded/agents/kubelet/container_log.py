"""What a container writes, kept line by line with the time of each, as a container runtime keeps it."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

CHUNK = 65536
LONGEST_LINE = 16384  # a longer one is kept in pieces, as containerd does


def open_log(path: Path) -> int:
    """A descriptor for a container's standard output and error; what is written to it ends up in `path`, stamped.

    The caller closes it once the container has it; the log ends when every process that has it is gone.
    """
    reading, writing = os.pipe()
    threading.Thread(target=_keep, args=(reading, path), name=f"log {path.stem}", daemon=True).start()
    return writing


def stamped(line: bytes) -> bytes:
    """The line with its time before it: RFC 3339, UTC, nanoseconds, always as many digits (so it can be compared)."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return time.strftime(f"%Y-%m-%dT%H:%M:%S.{nanoseconds:09}Z ", time.gmtime(seconds)).encode() + line


def _keep(source: int, path: Path) -> None:
    rest = b""
    with os.fdopen(source, "rb", buffering=0) as reading, open(os.open(path, _FLAGS, 0o600), "ab", 0) as log:
        while data := reading.read(CHUNK):
            *lines, rest = (rest + data).split(b"\n")
            if len(rest) > LONGEST_LINE:
                lines.append(rest)
                rest = b""
            log.write(b"".join(stamped(line + b"\n") for line in lines))
        if rest:
            log.write(stamped(rest + b"\n"))


_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND
