"""From tables to JSON and back, and to the page."""

from __future__ import annotations

from benchmarks.record import Record, Row, Table, from_json, judged, to_json
from benchmarks.render import page, show
from benchmarks.statistics import Series

TABLE = Table(
    "up",
    "Up and down",
    ("guide's lab",),
    (
        judged("`up`", Series((1.0, 2.0, 1.8)), 1.5, why_not="imports"),
        Row("… wired", (Series((0.5,)),)),
        Row("–", (None,)),
    ),
    (3.5, 2.25),
    "2026-11-24 19:00 UTC",
    ("A note.",),
    "abc1234",
)
RECORD = Record({"machine": "2 × a processor"}, {"versions": "Python 3.11"}, (TABLE,))


def test_a_record_survives_json() -> None:
    assert from_json(to_json(RECORD)) == RECORD


def test_a_missed_target_is_marked_and_says_why() -> None:
    text = page(RECORD)
    assert "| `up` | 1.80 s [1.00–2.00] | ≤ 1.5 s | **missed** | 3.5–2.2 |" in text
    assert "- `up`: imports" in text


def test_a_met_target_gives_no_excuse() -> None:
    row = judged("`down`", Series((0.05,)), 0.5, why_not="imports")
    assert (row.met, row.why_not) == (True, "")


def test_the_load_stands_beside_each_table() -> None:
    assert "Taken 2026-11-24 19:00 UTC, commit abc1234, load 3.50 → 2.25." in page(RECORD)


def test_a_target_about_one_column_of_several_shows_that_column_under_its_full_name() -> None:
    row = Row("`up`", (Series((2.0,)), Series((9.0,)), "1.16"), "growth ≤ linear", True, "", 2)
    text = page(Record({}, {}, (Table("scale", "Nodes", ("10", "100", "growth"), (row,), (1.0, 1.0), ""),)))
    assert "| Nodes: `up`, growth | 1.16 | growth ≤ linear | met | 1.0–1.0 |" in text


def test_findings_are_appended_as_they_are() -> None:
    assert page(RECORD, "## Where the time goes\n\ntext").endswith("## Where the time goes\n\ntext\n")


def test_a_new_table_replaces_the_old_one_and_keeps_the_order() -> None:
    other = Table("flow", "Flow", (), (), (0.0, 0.0), "")
    again = Table("up", "Up again", (), (), (0.0, 0.0), "")
    record = Record({}, {}, (other, TABLE)).with_table(again, ["up", "flow"])
    assert [table.title for table in record.tables] == ["Up again", "Flow"]


def test_numbers_have_as_many_digits_as_they_deserve() -> None:
    cells = [Series((value,), "MB") for value in (0.0123, 1.234, 45.67, 345.6)]
    assert [show(cell) for cell in cells] == ["0.012 MB", "1.23 MB", "45.7 MB", "346 MB"]


def test_a_row_with_fewer_cells_than_columns_is_filled_up() -> None:
    table = Table("t", "T", ("one", "two"), (Row("both", ("1", "2")), Row("first", ("1",))), (0.0, 0.0), "")
    assert "| first | 1 |  |" in page(Record({}, {}, (table,)))


def test_nothing_is_shown_as_a_dash() -> None:
    assert show(None) == "–"
