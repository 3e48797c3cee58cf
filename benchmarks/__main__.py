"""`python -m benchmarks [name…] [--quick]`: measure in a box, write benchmarks/record.json and docs/benchmarks.md.

--quick measures less and writes to .cache/benchmarks/ instead.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from dataclasses import replace
from pathlib import Path

from benchmarks.box import mount_tmpfs, run_in_box
from benchmarks.machine import ROOT, load_average, machine, versions
from benchmarks.record import Record, load, to_json
from benchmarks.render import page
from benchmarks.settings import CACHE, WORK, Session, lab_environment

#: name → module, in the order of the page.
BENCHMARKS = {
    "up": "up_and_down",
    "propagation": "propagation",
    "flow": "whole_flow",
    "scale": "scale",
    "report": "million_requests",
    "prober": "prober_speed",
    "compare": "compare",
    "trace": "trace",
}
ROUNDS, QUICK_ROUNDS = 5, 1
_INSIDE = "BGPLAB_BENCHMARK_BOX"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="name", help=f"what to measure: {', '.join(BENCHMARKS)}; all when none"
    )
    parser.add_argument("--quick", action="store_true", help="one round, smaller sizes; docs are left alone")
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    if _INSIDE not in os.environ:
        CACHE.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "benchmarks", *sys.argv[1:]]
        return run_in_box(command, environment={**lab_environment(), _INSIDE: "1"}, cwd=ROOT)
    mount_tmpfs(WORK)
    try:
        return _measure(given.names or list(BENCHMARKS), quick=given.quick)
    except KeyboardInterrupt:
        _say("interrupted; what was measured before is written")
        return 130


def _measure(names: list[str], *, quick: bool) -> int:
    session = Session(QUICK_ROUNDS if quick else ROUNDS, quick, _say)
    failed = []
    for name in names:
        _say(f"{name}: load {load_average():.2f}")
        try:
            table = importlib.import_module(f"benchmarks.{BENCHMARKS[name]}").measure(session)
        except Exception as fault:  # the others can still be measured; the exit status tells
            _say(f"{name}: failed: {type(fault).__name__}: {fault}")
            failed.append(name)
            continue
        file, document = _files(quick)
        record = load(file).with_table(table, list(BENCHMARKS))
        _write(_about(record), file, document)
    return 1 if failed else 0


def _about(record: Record) -> Record:
    from benchmarks import others

    return replace(record, machine=machine(), versions={**versions(), **others.versions()})


def _files(quick: bool) -> tuple[Path, Path]:
    if quick:
        return CACHE / "quick.json", CACHE / "quick.md"
    return ROOT / "benchmarks" / "record.json", ROOT / "docs" / "benchmarks.md"


def _write(record: Record, file: Path, document: Path) -> None:
    findings = ROOT / "benchmarks" / "findings.md"
    file.write_text(to_json(record))
    document.write_text(page(record, findings.read_text()))
    _say(f"written: {document}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
