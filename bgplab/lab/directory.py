"""Where labs are kept on this machine: one directory per lab, one lock per name.

`<state>/labs/<name>/lab.json` says who it is (pid and its start time, hosts, files); beside it are the kubeconfig,
the ssh_config and keys (0600), and the daemon's log. A directory whose process is gone is stale and is swept away.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from bgplab.errors import InputError, LabError
from bgplab.lab.model import Access

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class LabRecord:
    """lab.json. pid: PID 1 of the lab as this machine numbers it; started: its start time in clock ticks (proc(5))."""

    name: str
    backend: str
    pid: int
    started: int
    hosts: tuple[str, ...]
    contexts: dict[str, str]
    ports: dict[str, int]
    spec: dict[str, object]
    since: float
    kept: bool = False


def state_directory() -> Path:
    """`$BGPLAB_STATE`, or bgp-lab's part of the XDG state directory."""
    given = os.environ.get("BGPLAB_STATE")
    if given:
        return Path(given).absolute()
    base = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return Path(base) / "bgp-lab"


def check_name(name: str) -> str:
    """A lab's name becomes a directory and a hostname part. Raises InputError."""
    if not _NAME.fullmatch(name):
        raise InputError(
            "--name",
            f"{name!r} is not a lab name",
            "it names a directory and appears in commands",
            "use 1 to 42 lower-case letters, digits and dashes, starting and ending with a letter or digit",
        )
    return name


def lab_directory(name: str) -> Path:
    return state_directory() / "labs" / check_name(name)


def start_time_of(pid: int) -> int | None:
    """When a process started, in clock ticks since boot (proc(5), field 22); None when there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else int(fields[19])


def write_record(directory: Path, record: LabRecord) -> None:
    passing = directory / "lab.json.new"
    passing.write_text(json.dumps(asdict(record), indent=1))
    passing.rename(directory / "lab.json")


def read_record(name: str) -> LabRecord | None:
    """The lab's record when it stands; None when there is no such lab (a stale directory is swept away)."""
    directory = lab_directory(name)
    try:
        given = json.loads((directory / "lab.json").read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    record = LabRecord(**{**given, "hosts": tuple(given["hosts"])})
    if start_time_of(record.pid) != record.started:
        shutil.rmtree(directory, ignore_errors=True)
        return None
    return record


def standing_labs() -> list[LabRecord]:
    """All labs that stand on this machine, by name."""
    base = state_directory() / "labs"
    names = sorted(path.name for path in base.iterdir() if path.is_dir()) if base.is_dir() else []
    return [record for name in names if _NAME.fullmatch(name) and (record := read_record(name))]


def access_to(record: LabRecord) -> Access:
    directory = lab_directory(record.name)
    return Access(record.name, directory / "ssh_config", directory / "kubeconfig", record.hosts, record.contexts)


def require_record(name: str) -> LabRecord:
    """The record of a lab that must stand. Raises InputError naming those that do."""
    record = read_record(name)
    if record is None:
        standing = ", ".join(other.name for other in standing_labs()) or "none"
        raise InputError("--name", f"no lab {name!r} stands", f"standing labs: {standing}", "bring it up: bgp-lab up")
    return record


@contextlib.contextmanager
def lab_lock(
    name: str, holder: str, *, patience_seconds: float = 0.0, say: Callable[[str], None] = lambda _: None
) -> Iterator[None]:
    """The right to use a lab name, one holder at a time; the kernel frees it when the holder dies.

    Waits up to `patience_seconds` and then raises LabError naming who holds it.
    """
    base = state_directory() / "locks"
    base.mkdir(parents=True, exist_ok=True, mode=0o700)
    at = time.monotonic() + patience_seconds
    with open(base / f"{check_name(name)}.lock", "a+") as file:
        told = False
        while not _try_lock(file.fileno()):
            file.seek(0)
            other = file.read().strip() or "somebody"
            if not told:
                say(f"lab {name}: in use by {other}; waiting up to {patience_seconds:.0f} s")
                told = True
            if time.monotonic() >= at:
                raise LabError(f"lab {name} is in use by {other} (waited {patience_seconds:.0f} s)")
            time.sleep(0.2)
        file.seek(0)
        file.truncate()
        file.write(holder)
        file.flush()
        try:
            yield
        finally:
            file.seek(0)
            file.truncate()


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
