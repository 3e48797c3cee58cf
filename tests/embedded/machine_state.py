"""What is on the machine: to show that a lab leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, fields
from pathlib import Path


@dataclass(frozen=True)
class MachineState:
    """Sets of everything that a lab could leave; compared before and after."""

    lab_processes: frozenset[str]
    interfaces: frozenset[str]
    mounts: frozenset[str]
    listening: frozenset[str]
    routes: frozenset[str]
    sysctls: frozenset[tuple[str, str]]
    rules: frozenset[str]

    @classmethod
    def now(cls) -> MachineState:
        return cls(
            frozenset(_lab_processes()),
            frozenset(path.name for path in Path("/sys/class/net").iterdir()),
            frozenset(line.split(" ", 1)[1] for line in Path("/proc/self/mountinfo").read_text().splitlines()),
            frozenset(_listening()),
            frozenset(Path("/proc/net/route").read_text().splitlines()),
            frozenset((name, _sysctl(name)) for name in ("fib_multipath_hash_policy", "ip_forward")),
            frozenset(_nft_rules()),
        )

    def left_by(self, before: MachineState) -> dict[str, list[object]]:
        """What is there now and was not before, by kind; empty when nothing is left."""
        news = {one.name: sorted(getattr(self, one.name) - getattr(before, one.name)) for one in fields(self)}
        return {name: found for name, found in news.items() if found}


def _nft_rules() -> list[str]:
    """Tables and rules of this machine's own network namespace; none where there is no nft, or no right to look."""
    nft = shutil.which("nft", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    return subprocess.run([nft, "list", "ruleset"], capture_output=True, text=True).stdout.splitlines() if nft else []


def _lab_processes() -> list[str]:
    found = []
    for path in Path("/proc").iterdir():
        if not path.name.isdigit():
            continue
        try:
            command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            deep = len((path / "status").read_text().split("NSpid:")[1].split("\n")[0].split()) > 1
        except OSError:
            continue
        if "bgplab.backends.embedded" in command or deep:
            found.append(f"{path.name} {command}")
    return found


def _listening() -> list[str]:
    """Listening ports that no process outside a lab holds open (other tests run beside this one)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    others = _sockets_of_others()
    return [row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" not in others]


def _sockets_of_others() -> set[str]:
    found: set[str] = set()
    for path in Path("/proc").iterdir():
        try:
            if path.name.isdigit() and b"bgplab.backends.embedded" not in (path / "cmdline").read_bytes():
                found |= {str(link.readlink()) for link in (path / "fd").iterdir()}
        except OSError:
            continue
    return found


def _sysctl(name: str) -> str:
    return Path(f"/proc/sys/net/ipv4/{name}").read_text().strip()
