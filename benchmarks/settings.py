"""What a session of benchmarks goes by."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import ROOT, commit, load_average, now
from benchmarks.record import Row, Table

CACHE = ROOT / ".cache" / "benchmarks"
WORK = CACHE / "work"
BGP_LAB = Path(sys.executable).parent / "bgp-lab"


@dataclass(frozen=True, slots=True)
class Session:
    """rounds: how often everything is measured. A round measures each thing once, so that all see the same machine."""

    rounds: int
    quick: bool
    say: Callable[[str], None]

    def timed(self, argv: list[str], **environment: str) -> float:
        """Seconds a command took, its own start included. Raises CalledProcessError with what it printed."""
        started = time.monotonic()
        done = subprocess.run(argv, capture_output=True, text=True, env={**os.environ, **environment}, check=False)
        took = time.monotonic() - started
        if done.returncode != 0:
            raise RuntimeError(
                f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout[-1500:]}\n{done.stderr[-3000:]}"
            )
        return took


class Taking:
    """Collects one table; the load is read when it begins and when it ends."""

    def __init__(self, key: str, title: str) -> None:
        self._key, self._title, self._load = key, title, load_average()

    def table(self, columns: tuple[str, ...], rows: list[Row], notes: list[str]) -> Table:
        load = (round(self._load, 2), round(load_average(), 2))
        return Table(self._key, self._title, columns, tuple(rows), load, now(), tuple(notes), commit())


def lab_environment() -> Mapping[str, str]:
    """State and results in the box's own file system; Prefect's home on disk, where it stays warm between sessions."""
    return {
        "BGPLAB_STATE": str(WORK / "state"),
        "BGPLAB_RESULTS": str(WORK / "results"),
        "PREFECT_HOME": str(CACHE / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PYTHONDONTWRITEBYTECODE": "",  # some containers set it: every import would be compiled anew
    }
