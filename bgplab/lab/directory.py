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
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from bgplab.errors import InputError, LabError, MachineError
from bgplab.lab.model import Access

LONGEST_HOLDER = 4096

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
    """The lab's record when it stands; None when there is no such lab (a stale directory is swept away).

    A record that cannot be read counts as none, so that one damaged directory does not hide the other labs.
    """
    directory = lab_directory(name)
    try:
        record = _parsed((directory / "lab.json").read_text())
    except (OSError, ValueError, TypeError, KeyError):
        return None
    if start_time_of(record.pid) != record.started:
        shutil.rmtree(directory, ignore_errors=True)
        return None
    return record


def _parsed(text: str) -> LabRecord:
    """What a later version has added is left out. Raises ValueError, TypeError or KeyError."""
    given = json.loads(text)
    known = {field.name: given[field.name] for field in fields(LabRecord) if field.name in given}
    record = LabRecord(**{**known, "hosts": tuple(given["hosts"])})
    if not (isinstance(record.pid, int) and record.pid > 0 and isinstance(record.since, int | float)):
        raise ValueError(f"no process and time of start in {text!r}")
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

    Waits up to `patience_seconds` and then raises LabError naming who holds it. Raises MachineError when the state
    directory cannot be written to.
    """
    file = _lock_file(check_name(name))
    at = time.monotonic() + patience_seconds
    try:
        told = False
        while not _try_lock(file):
            other = os.pread(file, LONGEST_HOLDER, 0).decode(errors="replace").strip() or "somebody"
            if not told:
                say(f"lab {name}: in use by {other}; waiting up to {patience_seconds:.0f} s")
                told = True
            if time.monotonic() >= at:
                raise LabError(f"lab {name} is in use by {other} (waited {patience_seconds:.0f} s)")
            time.sleep(0.2)
        _note_holder(file, holder)
        try:
            yield
        finally:
            os.ftruncate(file, 0)
    finally:
        os.close(file)


def _lock_file(name: str) -> int:
    base = state_directory() / "locks"
    try:
        base.mkdir(parents=True, exist_ok=True, mode=0o700)
        return os.open(base / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as fault:
        raise unusable(base, fault) from fault


def _note_holder(file: int, holder: str) -> None:
    try:
        os.ftruncate(file, 0)
        os.pwrite(file, holder.encode()[:LONGEST_HOLDER], 0)
    except OSError as fault:
        raise unusable(state_directory(), fault) from fault


def unusable(path: Path, fault: OSError) -> MachineError:
    """What to say when the state directory cannot be written to."""
    return MachineError(
        f"{path} cannot be written to: {fault.strerror}", "make room or mend it, or name another place: BGPLAB_STATE=…"
    )


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
