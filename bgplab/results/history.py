"""The runs there are, newest first, and what differs between two."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bgplab.checks.finding import Verdict
from bgplab.results.directory import UNFINISHED
from bgplab.results.record import CheckResult


@dataclass(frozen=True, slots=True)
class Summary:
    """What a list of runs shows, read from run.json alone. counts: checks by verdict."""

    path: Path
    flow: str
    lab: str
    run_id: str
    verdict: Verdict
    sentence: str
    started_ns: int
    seconds: float
    counts: dict[str, int]

    @property
    def has_report(self) -> bool:
        return (self.path / "report.html").is_file()


@dataclass(frozen=True, slots=True)
class Difference:
    """A check whose verdict is not what it was; None: it was not in that run."""

    id: str
    before: Verdict | None
    now: Verdict | None
    reason: str

    def __str__(self) -> str:
        before = self.before.value if self.before is not None else "not judged"
        now = self.now.value if self.now is not None else "not judged"
        return f"{self.id}: {before} → {now}" + (f" ({self.reason})" if self.reason else "")


def list_runs(results: Path, flow: str = "", lab: str = "") -> list[Summary]:
    """Finished runs, newest first; of one flow or lab when named. Directories that are no runs are passed over."""
    found = [summary for path in _run_files(results, flow, lab) if (summary := _summary(path))]
    return sorted(found, key=lambda summary: (summary.started_ns, summary.run_id), reverse=True)


def latest(results: Path, flow: str = "", lab: str = "") -> Summary | None:
    return next(iter(list_runs(results, flow, lab)), None)


def find_run(results: Path, run: str) -> Path | None:
    """A run by its path, its id or an unambiguous start of it; `latest` is the newest."""
    if (Path(run) / "run.json").is_file():
        return Path(run)
    runs = list_runs(results)
    if run == "latest":
        return runs[0].path if runs else None
    named = [summary.path for summary in runs if summary.run_id.startswith(run)]
    return named[0] if len(named) == 1 else None


def previous_run(results: Path, flow: str, lab: str, run_id: str) -> Summary | None:
    """The newest run of the same flow and lab other than this one."""
    return next((summary for summary in list_runs(results, flow, lab) if summary.run_id != run_id), None)


def previous_verdicts(results: Path, flow: str, lab: str, run_id: str = "") -> dict[str, Verdict]:
    """Verdict by check id of the run before `run_id` (or the last one); empty without one that can be read."""
    import pandas

    before = previous_run(results, flow, lab, run_id)
    if before is None:
        return {}
    try:
        table = pandas.read_parquet(before.path / "checks.parquet", columns=["id", "verdict"])
        return {row["id"]: Verdict(row["verdict"]) for row in table.to_dict("records")}
    except (OSError, ValueError):  # somebody's broken old run must not cost the new one; pyarrow's are ValueErrors
        return {}


def differences(before: dict[str, Verdict], checks: Iterable[CheckResult]) -> tuple[Difference, ...]:
    """Checks whose verdict changed, in the order of ids; those that are new or gone included."""
    now = {check.id: check for check in checks}
    changed = []
    for id in sorted({*before, *now}):
        check = now.get(id)
        verdict = check.verdict if check else None
        if verdict is not before.get(id):
            changed.append(Difference(id, before.get(id), verdict, check.reason if check else ""))
    return tuple(changed)


def _run_files(results: Path, flow: str, lab: str) -> Iterator[Path]:
    for path in Path(results).glob(f"{flow or '*'}/{lab or '*'}/*/run.json"):
        if not path.parent.name.startswith(UNFINISHED):
            yield path


def _summary(path: Path) -> Summary | None:
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
        return Summary(
            path=path.parent,
            flow=described["flow"],
            lab=described["lab"],
            run_id=described["run_id"],
            verdict=Verdict(described["verdict"]),
            sentence=described["sentence"],
            started_ns=described["started_ns"],
            seconds=described["seconds"],
            counts=described["counts"],
        )
    except (OSError, ValueError, KeyError, TypeError):  # TypeError: it is JSON, but no object
        return None
