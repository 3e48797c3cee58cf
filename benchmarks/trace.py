"""Where the time of `up` goes: spans inside the daemon, on the launcher's clock."""

from __future__ import annotations

import json
import time
from unittest import mock

from benchmarks.record import Row, Table
from benchmarks.settings import WORK, Session, Taking
from benchmarks.statistics import Series
from bgplab.backends.embedded import launch, starting
from bgplab.lab import directory as labs
from bgplab.lab.opening import open_lab
from bgplab.spec.loading import load_lab
from bgplab.spec.model import LabSpec

KEY = "trace"
NAME = "bench-trace"


def measure(session: Session) -> Table:
    taking = Taking(KEY, "Inside `up`")
    spec = load_lab("guide")
    spans: dict[str, list[tuple[float, float, float]]] = {}
    for _ in range(session.rounds):
        for name, span in _once(spec).items():
            spans.setdefault(name, []).append(span)
    session.say(f"trace: {len(spans)} spans")
    rows = []
    for name, taken in sorted(spans.items(), key=lambda one: Series(tuple(span[0] for span in one[1])).median):
        columns = zip(*taken, strict=True)
        rows.append(Row(f"`{name}`", tuple(Series(tuple(column)) for column in columns)))
    notes = [
        "Seconds since `up` was called in a warm process. CPU: of the thread that did it; whatever runs"
        " Python in the daemon share one interpreter lock, so their CPU times add up to wall time.",
        "Of what happens several times (a node's agents, SSH listeners) the first begin, the last end, and the sum.",
        "`import hosts.ssh` and `listen` come after `Report.ready`, with which `up` returns.",
    ]
    return taking.table(("begins", "ends", "CPU"), rows, notes)


def _once(spec: LabSpec) -> dict[str, tuple[float, float, float]]:
    trace = labs.state_directory() / "labs" / "trace.jsonl"
    trace.unlink(missing_ok=True)
    started = time.monotonic()
    with mock.patch.object(starting, "DAEMON", "benchmarks.tracing.traced_daemon"):
        lab = launch.up(spec, NAME, holder="benchmark", grace_seconds=1.0)
    open_lab(labs.access_to(lab.record)).hosts["router"].run(["true"])  # SSH is served after `ready`
    lab.lease.release()
    launch.down(NAME)
    merged: dict[str, tuple[float, float, float]] = {}
    for line in trace.read_text().splitlines():
        name, begin, end, cpu, _ = json.loads(line)
        first, last, total = merged.get(name, (begin - started, 0.0, 0.0))
        merged[name] = (min(first, begin - started), max(last, end - started), total + cpu)
    assert WORK.is_dir()
    return merged
