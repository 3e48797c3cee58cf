"""A run with a million requests: how large its report is, how long it takes to make, and to open in Chromium."""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.machine import ROOT
from benchmarks.record import Row, Table, judged
from benchmarks.settings import Session, Taking
from benchmarks.statistics import Series
from bgplab.checks.finding import Verdict
from bgplab.results.directory import load_run, new_run_id, save_run, this_machine
from bgplab.results.record import CheckResult, LoadTestResult, Run, Share
from bgplab.traffic.statistics import wilson
from dashboards.report import render_report

KEY = "report"
REQUESTS = 1_000_000
NODES = ("k8s-ctr", "k8s-w1", "k8s-w0")
CHECKS, EVIDENCE = 30, 60_000  # so many characters each: more than a page shows of one
START = 1_795_540_000_000_000_000


def measure(session: Session) -> Table:
    taking = Taking(KEY, "Report of a million requests")
    requests = REQUESTS // 10 if session.quick else REQUESTS
    run = million(requests)
    seen: dict[str, list[float]] = {}

    def take(name: str, work: Callable[[], Any]) -> Any:
        wall, cpu = time.monotonic(), time.process_time()
        made = work()
        seen.setdefault(name, []).append(time.monotonic() - wall)
        seen.setdefault(f"{name} cpu", []).append(time.process_time() - cpu)
        return made

    size, kept = 0.0, 0.0
    with tempfile.TemporaryDirectory(dir=ROOT / ".cache") as folder:
        for number in range(session.rounds):
            html = take("make", lambda: render_report(run))
            again = replace(run, run_id=new_run_id())
            path = take("save", lambda again=again, html=html: save_run(Path(folder), again, {"report.html": html}))
            take("load", lambda path=path: load_run(path))
            size = len(html.encode()) / 1e6
            kept = sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) / 1e6
            session.say(f"report: round {number + 1}: made in {seen['make'][-1]:.2f} s, {size:.2f} MB")
        seen["open"] = open_in_chromium(path / "report.html", session.rounds, Path(folder))
    of = {name: Series(tuple(values)) for name, values in seen.items() if values}
    no_browser = "Chromium is not here: not measured."
    rows = [
        judged("size of `report.html`", Series((size,), "MB"), 6),
        judged("make the report, records in memory", of["make"], 5),
        Row("… CPU time", (of["make cpu"],)),
        *(
            [judged("open it in Chromium (headless, from file://) until loaded", of["open"], 1.5)]
            if "open" in of
            else []
        ),
        Row("write the run directory (parquet frames, evidence)", (of["save"],)),
        Row("read it back", (of["load"],)),
        Row("size of the run directory", (Series((kept,), "MB"),)),
    ]
    notes = [
        f"{requests:,} requests in two load tests as lists, as the prober hands them over; {CHECKS} checks with "
        f"{EVIDENCE // 1000} KB of evidence each, of which the page shows 20 KB."
    ]
    return taking.table(("",), rows, notes + ([] if "open" in of else [no_browser]))


def open_in_chromium(page: Path, rounds: int, folder: Path) -> list[float]:
    """Seconds from navigation to the load event's end, as the browser itself measures; none without a Chromium."""
    sys.path.insert(0, str(ROOT / "tests" / "dashboards"))
    from browser import CHROMIUM, browser

    if CHROMIUM is None:
        return []
    taken = []
    with browser(folder / "profile") as chromium:
        for _ in range(rounds):
            chromium.open("about:blank", 1280)
            chromium.open(page.as_uri(), 1280)
            taken.append(chromium.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd") / 1000)
    return taken


def million(requests: int) -> Run:
    """Two load tests, before and after, made up with a seed."""
    dice = random.Random(7)
    checks = tuple(
        CheckResult(f"G{n:02}", "a claim", Verdict.HOLDS, "seen", {"n": n}, "evidence " * (EVIDENCE // 9))
        for n in range(1, CHECKS + 1)
    )
    return Run(
        flow="benchmark",
        lab="million",
        run_id=new_run_id(),
        started_ns=START,
        seconds=100.0,
        checks=checks,
        load_tests=tuple(load_test(name, requests // 2, dice) for name in ("before", "after")),
        machine=this_machine(),
    )


def load_test(name: str, count: int, dice: random.Random) -> LoadTestResult:
    nodes = dice.choices(NODES, k=count)
    totals = [round(dice.lognormvariate(6.2, 0.5)) + 90 for _ in range(count)]
    failed = [dice.random() < 0.001 for _ in range(count)]
    columns = {
        "sequence": list(range(count)),
        "start_ns": [START + number * 100_000 for number in range(count)],
        "connect_us": [total // 3 for total in totals],
        "first_byte_us": [total - 5 for total in totals],
        "total_us": totals,
        "source_address": ["192.168.10.200"] * count,
        "source_port": [1024 + number % 60_000 for number in range(count)],
        "backend": [None if bad else f"webpod-{node}" for node, bad in zip(nodes, failed, strict=True)],
        "remote_address": [f"192.168.10.200:{1024 + number % 60_000}" for number in range(count)],
        "status": [None if bad else 200 for bad in failed],
        "error": ["reset" if bad else "" for bad in failed],
        "node": [None if bad else node for node, bad in zip(nodes, failed, strict=True)],
    }
    shares = tuple(
        Share(kind, node, nodes.count(node), 1 / 3, True, *wilson(nodes.count(node), count))
        for kind in ("node", "endpoint")
        for node in NODES
    )
    return LoadTestResult(name, name, "Local", 1, "http://172.16.1.1/", "router", columns, shares, group="hash")


def main() -> int:
    """Measure without the box of `python -m benchmarks`, and print."""
    from benchmarks.render import section

    (ROOT / ".cache").mkdir(exist_ok=True)
    print(section(measure(Session(3, "--quick" in sys.argv, lambda text: print(text, file=sys.stderr)))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
