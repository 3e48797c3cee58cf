"""The frames of a run: which columns there are, what they mean, their units and dtypes; and records → frame → records.

In a notebook:

    run = load_run(path)                       # bgplab.results.directory
    requests = requests_frame(run.load_tests)
    requests.groupby(["test", "node"]).total_us.describe()

`test` joins requests with points, `check_id` joins points with checks.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from bgplab.checks.finding import Verdict
from bgplab.results.record import CheckResult, LoadTestResult, Share, StepResult, TimelineEvent

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, slots=True)
class Column:
    """One column: dtype as pandas names it, and what it means with its unit."""

    name: str
    dtype: str
    meaning: str


REQUESTS = (
    Column("test", "category", "name of the load test"),
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
)
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


def requests_frame(tests: Iterable[LoadTestResult]) -> pandas.DataFrame:
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


def timeline_frame(events: Iterable[TimelineEvent]) -> pandas.DataFrame:
    """Events in order of time."""
    rows = sorted((asdict(event) for event in events), key=lambda row: row["at_ns"])
    return frame(TIMELINE, _columns(TIMELINE, rows))


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
            commands=tuple(row["commands"].split("\n")) if row["commands"] else (),
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
            tuple(row["commands"].split("\n")) if row["commands"] else (),
        )
        for row in table.to_dict("records")
    )


def timeline_of(table: pandas.DataFrame) -> tuple[TimelineEvent, ...]:
    return tuple(TimelineEvent(*row) for row in table.itertuples(index=False, name=None))


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


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
