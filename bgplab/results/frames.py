"""The frames of a run: which columns there are, what they mean, their units and dtypes; and records → frame → records.

In a notebook:

    from bgplab.results.frames import load_frames
    requests, points, checks, timeline = load_frames("results/bgp-lab/guide/20261124T173012Z-1a2b3c")
    points.merge(checks, left_on="check_id", right_on="id")

`test` joins requests with points, convergence and timeline; `check_id` joins points and convergence with checks' `id`.
docs/results.md has the same tables (scripts of this project keep it so).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from bgplab.checks.finding import Verdict
from bgplab.results.record import (
    CheckResult,
    ConvergenceResult,
    LoadTestResult,
    Run,
    Share,
    StepResult,
    TimelineEvent,
)

if TYPE_CHECKING:
    from os import PathLike

    import pandas


@dataclass(frozen=True, slots=True)
class Column:
    """One column: dtype as pandas names it, and what it means with its unit."""

    name: str
    dtype: str
    meaning: str


REQUESTS = (
    Column("test", "category", "name of the load test, or of the event under traffic"),
    Column("sequence", "int64", "number of the connection in its test, from 0, in order of start"),
    Column("start_ns", "int64", "start, wall clock, nanoseconds since the epoch"),
    Column("connect_us", "Int64", "start to connected, microseconds; missing when never connected"),
    Column("first_byte_us", "Int64", "start to the answer's first byte, microseconds; missing when none came"),
    Column("total_us", "Int64", "start to a whole answer or a known error, microseconds"),
    Column("source_address", "category", "the client's own address"),
    Column("source_port", "Int32", "the client's own port; missing when it never got one"),
    Column("backend", "category", "the pod that answered, by its Hostname; missing without an answer"),
    Column("remote_address", "string", "ADDRESS:PORT of the client as the pod saw it"),
    Column("status", "Int16", "HTTP status; missing without an answer"),
    Column("error", "category", "error class; empty for a whole 2xx answer"),
    Column("node", "category", "the node that received the connection; missing when not known"),
)
POINTS = (
    Column("test", "string", "name of the load test"),
    Column("check_id", "string", "the check that judges it, if any"),
    Column("policy", "string", "externalTrafficPolicy"),
    Column("hash_policy", "Int8", "the router's fib_multipath_hash_policy"),
    Column("kind", "string", "node or endpoint"),
    Column("name", "string", "the node's or pod's name"),
    Column("observed", "int64", "connections it got"),
    Column("expected", "float64", "its expected share, 0-1; missing when it cannot be said"),
    Column("may_answer", "bool", "false for one that must get nothing"),
    Column("low", "float64", "lower end of the observed share's 99 % Wilson interval, 0-1"),
    Column("high", "float64", "upper end of it"),
)
CHECKS = (
    Column("id", "string", "the guide's id"),
    Column("title", "string", "what is claimed"),
    Column("verdict", "string", "holds, fails, inconclusive or skipped"),
    Column("reason", "string", "why"),
    Column("figures", "string", "named numbers, JSON"),
    Column("seconds", "float64", "from the first look to the verdict, waiting included"),
    Column("stage", "string", "the step in whose stage it was judged"),
    Column("superseded_by", "string", "the step that made it pointless; missing when none did"),
    Column("commands", "string", "what a person would type to see it, one per line"),
)
TIMELINE = (
    Column("at_ns", "int64", "wall clock, nanoseconds since the epoch"),
    Column("source", "string", "who saw it: frr, kernel, agent, prober, step"),
    Column("kind", "string", "class of event"),
    Column("subject", "string", "what it happened to"),
    Column("detail", "string", "in the source's own words"),
    Column("test", "string", "the event under traffic it was seen around; missing for one of the run as a whole"),
)
CONVERGENCE = (
    Column("test", "string", "name of the event under traffic"),
    Column("title", "string", "the same for people"),
    Column("event", "string", "what was done, to whom"),
    Column("expectation", "string", "what had to come of it"),
    Column("verdict", "string", "holds, fails, inconclusive or skipped"),
    Column("reason", "string", "why"),
    Column("interval_seconds", "float64", "between two connections of the steady probe: the resolution"),
    Column("event_at_ns", "int64", "when it was done, wall clock, nanoseconds since the epoch"),
    Column("first_failure_at_ns", "Int64", "start of the first failed connection; missing when none failed"),
    Column("last_failure_at_ns", "Int64", "start of the last one; missing when none failed"),
    Column("sent", "int64", "connections"),
    Column("lost", "int64", "connections that failed"),
    Column("outage_seconds", "float64", "first failure to the first success after the last one; 0 when none failed"),
    Column("recovery_seconds", "float64", "event to that success; missing when none failed or it never came"),
    Column("figures", "string", "further named numbers, JSON"),
    Column("check_id", "string", "the check that judges it, if any"),
)
FRAMES = ("requests", "points", "checks", "timeline")
STEPS = (
    Column("id", "string", "the guide's id"),
    Column("title", "string", "what was done"),
    Column("outcome", "string", "changed, already or failed"),
    Column("detail", "string", "what changed"),
    Column("seconds", "float64", "how long it took"),
    Column("commands", "string", "what a person would type, one per line"),
)


def frame(columns: Sequence[Column], values: Mapping[str, Sequence[Any]]) -> pandas.DataFrame:
    """A DataFrame with just these columns, in this order and of these dtypes; an absent column is missing values."""
    import pandas

    length = len(next(iter(values.values()), ()))
    return pandas.DataFrame(
        {column.name: pandas.Series(values.get(column.name, [None] * length), dtype=column.dtype) for column in columns}
    )


def load_frames(path: str | PathLike[str]) -> tuple[pandas.DataFrame, ...]:
    """requests, points, checks and timeline of a run's directory. Raises InputError when it is not a run."""
    from pathlib import Path

    import pandas

    from bgplab.errors import InputError

    missing = [name for name in FRAMES if not (Path(path) / f"{name}.parquet").is_file()]
    if missing:
        lacks = f"has no {missing[0]}.parquet"
        raise InputError(str(path), lacks, "it is not a run's directory", "list the runs: bgp-lab report --list")
    return tuple(pandas.read_parquet(Path(path) / f"{name}.parquet") for name in FRAMES)


def requests_frame(tests: Iterable[LoadTestResult | ConvergenceResult]) -> pandas.DataFrame:
    """All tests' connections, one row each; categories are those of all tests."""
    import pandas
    from pandas.api.types import union_categoricals

    parts = [(test.name, test.requests) for test in tests if len(test.requests.get("sequence", ()))]
    if not parts:
        return frame(REQUESTS, {})
    columns: dict[str, Any] = {}
    for column in REQUESTS:
        pieces = [_piece(column, name, requests) for name, requests in parts]
        if column.dtype == "category":
            columns[column.name] = union_categoricals([piece.array for piece in pieces])
        else:
            columns[column.name] = pandas.concat(pieces, ignore_index=True)
    return pandas.DataFrame(columns)


def _piece(column: Column, test: str, requests: Mapping[str, Sequence[Any]]) -> pandas.Series:
    """One column of one test. Text categories are made of `str`, so that those of two tests can be united."""
    import pandas

    length = len(requests["sequence"])
    if column.name == "test":
        return pandas.Series(pandas.Categorical.from_codes([0] * length, categories=pandas.Index([test], dtype=str)))
    values = requests.get(column.name, [None] * length)
    if column.dtype == "category":
        return pandas.Series(values, dtype=str).astype("category").reset_index(drop=True)
    return pandas.Series(values, dtype=column.dtype).reset_index(drop=True)


def points_frame(tests: Iterable[LoadTestResult]) -> pandas.DataFrame:
    rows = [
        {
            "test": test.name,
            "check_id": test.check_id,
            "policy": test.policy,
            "hash_policy": test.hash_policy,
            **asdict(share),
        }
        for test in tests
        for share in test.shares
    ]
    return frame(POINTS, _columns(POINTS, rows))


def checks_frame(checks: Iterable[CheckResult]) -> pandas.DataFrame:
    rows = [
        {
            "id": check.id,
            "title": check.title,
            "verdict": check.verdict.value,
            "reason": check.reason,
            "figures": json.dumps(dict(check.figures), default=str),
            "seconds": check.seconds,
            "stage": check.stage,
            "superseded_by": check.superseded_by,
            "commands": "\n".join(check.commands),
        }
        for check in checks
    ]
    return frame(CHECKS, _columns(CHECKS, rows))


def timeline_frame(run: Run) -> pandas.DataFrame:
    """Events of the run, and those seen around each event under traffic, in order of time."""
    rows = [{**asdict(event), "test": None} for event in run.timeline]
    rows += [{**asdict(event), "test": result.name} for result in run.convergence for event in result.marks]
    return frame(TIMELINE, _columns(TIMELINE, sorted(rows, key=lambda row: row["at_ns"])))


def convergence_frame(results: Iterable[ConvergenceResult]) -> pandas.DataFrame:
    """One row per event under traffic; its requests and marks are rows of the other frames."""
    rows = [
        {
            **{column.name: getattr(result, column.name) for column in CONVERGENCE if column.name != "test"},
            "test": result.name,
            "verdict": result.verdict.value,
            "figures": json.dumps(dict(result.figures), default=str),
        }
        for result in results
    ]
    return frame(CONVERGENCE, _columns(CONVERGENCE, rows))


def steps_frame(steps: Iterable[StepResult]) -> pandas.DataFrame:
    rows = [{**asdict(step), "commands": "\n".join(step.commands)} for step in steps]
    return frame(STEPS, _columns(STEPS, rows))


def _columns(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {column.name: [row[column.name] for row in rows] for column in columns}


def checks_of(table: pandas.DataFrame, evidence: Mapping[str, Any]) -> tuple[CheckResult, ...]:
    """checks_frame() the other way; evidence comes from its own files, by position and id (see directory)."""
    return tuple(
        CheckResult(
            id=row["id"],
            title=row["title"],
            verdict=Verdict(row["verdict"]),
            reason=row["reason"],
            figures=json.loads(row["figures"]),
            evidence=evidence.get(f"{number:03d}-{row['id']}"),
            seconds=row["seconds"],
            stage=row["stage"],
            superseded_by=_text(row["superseded_by"]),
            commands=_lines(row["commands"]),
        )
        for number, row in enumerate(table.to_dict("records"))
    )


def steps_of(table: pandas.DataFrame) -> tuple[StepResult, ...]:
    return tuple(
        StepResult(
            row["id"],
            row["title"],
            row["outcome"],
            row["detail"],
            row["seconds"],
            _lines(row["commands"]),
        )
        for row in table.to_dict("records")
    )


def timeline_of(table: pandas.DataFrame, test: str | None = None) -> tuple[TimelineEvent, ...]:
    """The run's own events, or those around one event under traffic. Runs of format 1 have no column `test`."""
    if "test" in table:
        table = table[table["test"].isna() if test is None else table["test"] == test]
    elif test is not None:
        return ()
    columns = [table[column.name] for column in TIMELINE if column.name != "test"]
    return tuple(TimelineEvent(*row) for row in zip(*columns, strict=True))


def convergence_of(
    table: pandas.DataFrame, requests: pandas.DataFrame, timeline: pandas.DataFrame
) -> tuple[ConvergenceResult, ...]:
    """convergence_frame() the other way, with requests and marks from their own frames."""
    return tuple(
        ConvergenceResult(
            name=row["test"],
            title=row["title"],
            event=row["event"],
            expectation=row["expectation"],
            verdict=Verdict(row["verdict"]),
            reason=row["reason"],
            interval_seconds=row["interval_seconds"],
            requests=request_columns(requests, row["test"]),
            event_at_ns=row["event_at_ns"],
            first_failure_at_ns=_whole(first),
            last_failure_at_ns=_whole(last),
            sent=row["sent"],
            lost=row["lost"],
            outage_seconds=row["outage_seconds"],
            recovery_seconds=_number(row["recovery_seconds"]),
            marks=timeline_of(timeline, row["test"]),
            figures=json.loads(row["figures"]),
            check_id=row["check_id"],
        )
        # nanoseconds would lose their last digits as floats, which to_dict() makes of a column with missing values
        for row, first, last in zip(
            table.to_dict("records"), table["first_failure_at_ns"], table["last_failure_at_ns"], strict=True
        )
    )


def shares_of(table: pandas.DataFrame, test: str) -> tuple[Share, ...]:
    return tuple(
        Share(
            row["kind"],
            row["name"],
            row["observed"],
            _number(row["expected"]),
            bool(row["may_answer"]),
            _number(row["low"]),
            _number(row["high"]),
        )
        for row in table[table["test"] == test].to_dict("records")
    )


def request_columns(table: pandas.DataFrame, test: str) -> dict[str, Any]:
    """One test's columns as pandas series, without the test's name."""
    mine = table[table["test"] == test].reset_index(drop=True)
    return {str(name): mine[name] for name in mine.columns if name != "test"}


def _number(value: Any) -> float | None:
    return None if value is None or value != value else float(value)


def _whole(value: Any) -> int | None:
    """An integer of a nullable column."""
    import pandas

    return None if pandas.isna(value) else int(value)


def _lines(text: str) -> tuple[str, ...]:
    return tuple(text.split("\n")) if text else ()


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
