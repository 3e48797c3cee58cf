"""What a session of benchmarks leaves: tables of series, with machine, versions, date and load; as JSON, too."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.statistics import Series

Cell = Series | str | None


@dataclass(frozen=True, slots=True)
class Row:
    """One line. target: in words, empty when there is none; met: None when it is not a question of yes or no.

    judged_cell: which cell the target is about.
    """

    label: str
    cells: tuple[Cell, ...]
    target: str = ""
    met: bool | None = None
    why_not: str = ""
    judged_cell: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """What one benchmark found. load: one-minute load average before and after; date: when it ended (ISO, UTC)."""

    key: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    load: tuple[float, float]
    date: str
    notes: tuple[str, ...] = ()
    commit: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """All tables, the newest of each key."""

    machine: Mapping[str, str]
    versions: Mapping[str, str]
    tables: tuple[Table, ...] = field(default=())

    def with_table(self, table: Table, order: Sequence[str]) -> Record:
        """This record with a table added or replaced; tables stand in the given order."""
        others = {one.key: one for one in self.tables} | {table.key: table}
        ordered = sorted(others.values(), key=lambda one: order.index(one.key) if one.key in order else len(order))
        return replace(self, tables=tuple(ordered))


def judged(label: str, series: Series, limit: float, *, why_not: str = "") -> Row:
    """A row whose median must not exceed a limit."""
    met = series.meets(limit)
    return Row(label, (series,), f"≤ {limit:g} {series.unit}", met, "" if met else why_not)


def to_json(record: Record) -> str:
    return json.dumps(_plain(record), indent=1, ensure_ascii=False) + "\n"


def from_json(text: str) -> Record:
    given = json.loads(text)
    return Record(given["machine"], given["versions"], tuple(_table(one) for one in given["tables"]))


def load(path: Path) -> Record:
    """The record in a file; an empty one when there is no file."""
    return from_json(path.read_text()) if path.exists() else Record({}, {})


def _plain(record: Record) -> dict[str, Any]:
    tables = [
        {
            "key": table.key,
            "title": table.title,
            "date": table.date,
            "commit": table.commit,
            "load": list(table.load),
            "columns": list(table.columns),
            "rows": [
                {
                    "label": row.label,
                    "cells": [_plain_cell(cell) for cell in row.cells],
                    "target": row.target,
                    "met": row.met,
                    "why_not": row.why_not,
                    "judged_cell": row.judged_cell,
                }
                for row in table.rows
            ],
            "notes": list(table.notes),
        }
        for table in record.tables
    ]
    return {"machine": dict(record.machine), "versions": dict(record.versions), "tables": tables}


def _plain_cell(cell: Cell) -> Any:
    if isinstance(cell, Series):
        values = [round(value, 4) for value in cell.values]
        return {"median": round(cell.median, 4), "unit": cell.unit, "values": values}
    return cell


def _table(given: Mapping[str, Any]) -> Table:
    rows = tuple(
        Row(
            row["label"],
            tuple(_cell(cell) for cell in row["cells"]),
            row["target"],
            row["met"],
            row["why_not"],
            row.get("judged_cell", 0),
        )
        for row in given["rows"]
    )
    return Table(
        given["key"],
        given["title"],
        tuple(given["columns"]),
        rows,
        (given["load"][0], given["load"][1]),
        given["date"],
        tuple(given["notes"]),
        given["commit"],
    )


def _cell(given: Any) -> Cell:
    return Series(tuple(given["values"]), given["unit"]) if isinstance(given, dict) else given
