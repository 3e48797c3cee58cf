"""What a figure was measured on."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bgplab.backends.embedded.hosts.userland import package_versions

ROOT = Path(__file__).parents[1]


def machine() -> dict[str, str]:
    processor = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "unknown"
    )
    system = next(
        (line.split("=", 1)[1].strip('"') for line in _lines("/etc/os-release") if line.startswith("PRETTY")), ""
    )
    memory = next(
        (int(line.split()[1]) // 1048576 for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0
    )
    return {
        "machine": f"{os.cpu_count()} × {processor}, {memory} GB, {system}, Linux {platform.release()}",
        "user": "root" if os.geteuid() == 0 else "ordinary user",
    }


def versions() -> dict[str, str]:
    libraries = ("prefect", "kubernetes", "pydantic", "asyncssh", "grpcio")
    known = {"Python": platform.python_version(), **package_versions()}
    return {
        "versions": ", ".join(
            f"{name} {value}" for name, value in (known | {one: version(one) for one in libraries}).items()
        )
    }


def commit() -> str:
    """The commit that is checked out, with `+` when the tree differs from it."""
    name = _git("rev-parse", "--short", "HEAD")
    return f"{name}+" if name and _git("status", "--porcelain", "--", "bgplab", "flows", "tasks") else name


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def load_average() -> float:
    return os.getloadavg()[0]


def _git(*words: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
