import json
from dataclasses import replace
from ipaddress import IPv4Address

import pandas
import pytest
from example_run import example_checks, example_convergence, example_run, hostile_run

from bgplab.checks.finding import Verdict
from bgplab.errors import InputError, MachineError
from bgplab.results import directory, frames
from bgplab.results.directory import load_run, new_run_id, refuse_unwritable, save_run


@pytest.fixture
def saved(tmp_path):
    return save_run(tmp_path, example_run(), {"report.html": "<p>hello"})


def without_tests(run):
    """Requests are read back as pandas series, which are compared one by one."""
    return replace(run, load_tests=(), convergence=())


def test_a_run_has_its_place_by_flow_lab_and_id(tmp_path, saved):
    assert saved == tmp_path / "bgp-lab" / "guide" / "20261124T173012Z-1a2b3c"
    assert (saved / "report.html").read_text() == "<p>hello"


def test_what_is_loaded_is_what_was_saved(saved):
    loaded, original = load_run(saved), example_run()
    assert without_tests(loaded) == without_tests(original)
    mine_and_theirs = zip(
        (*loaded.load_tests, *loaded.convergence), (*original.load_tests, *original.convergence), strict=True
    )
    for mine, theirs in mine_and_theirs:
        assert replace(mine, requests={}) == replace(theirs, requests={})
        assert mine.requests["backend"].astype(object).where(mine.requests["backend"].notna(), None).tolist() == list(
            theirs.requests["backend"]
        )


def test_hostile_texts_are_kept_as_they_are(tmp_path):
    loaded = load_run(save_run(tmp_path, hostile_run()))
    assert without_tests(loaded) == without_tests(hostile_run())
    assert replace(loaded.convergence[0], requests={}) == replace(hostile_run().convergence[0], requests={})


def test_nothing_unfinished_is_left_beside_a_run(tmp_path, saved):
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_a_reader_sees_no_run_while_it_is_written(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(directory, "commands_text", lambda run: seen.append(list(tmp_path.glob("*/*/2*"))) or "")
    save_run(tmp_path, example_run())
    assert seen == [[]]


def test_a_writer_that_breaks_leaves_nothing(tmp_path, monkeypatch):
    def broken(_run):
        raise OSError("disk full")

    monkeypatch.setattr(directory, "commands_text", broken)
    with pytest.raises(MachineError, match="disk full"):
        save_run(tmp_path, example_run())
    assert list((tmp_path / "bgp-lab" / "guide").iterdir()) == []


def test_a_run_is_never_overwritten(tmp_path, saved):
    with pytest.raises(FileExistsError):
        save_run(tmp_path, example_run())


@pytest.mark.parametrize("name", ["..", "a/b", "", ".hidden", "x" * 101])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="no name for a directory"):
        save_run(tmp_path, example_run(lab=name))


def test_a_directory_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="is not a run"):
        load_run(tmp_path)


def test_a_newer_format_is_refused(saved):
    described = json.loads((saved / "run.json").read_text())
    (saved / "run.json").write_text(json.dumps({**described, "format": 3}))
    with pytest.raises(InputError, match="has format 3"):
        load_run(saved)


def test_a_run_of_format_1_is_read_without_convergence(saved):
    described = json.loads((saved / "run.json").read_text())
    (saved / "run.json").write_text(json.dumps({**described, "format": 1}))
    (saved / "convergence.parquet").unlink()
    timeline = pandas.read_parquet(saved / "timeline.parquet")
    timeline[timeline.test.isna()].drop(columns="test").to_parquet(saved / "timeline.parquet", index=False)
    loaded = load_run(saved)
    assert (loaded.convergence, loaded.timeline) == ((), example_run().timeline)


def test_nanoseconds_are_kept_to_the_last_beside_missing_ones(tmp_path):
    calm, hurt = example_convergence()
    hurt = replace(hurt, first_failure_at_ns=1_795_540_000_123_456_789, last_failure_at_ns=1_795_540_000_123_456_791)
    loaded = load_run(save_run(tmp_path, example_run(convergence=(calm, hurt))))
    assert loaded.convergence[0].first_failure_at_ns is None
    assert loaded.convergence[1].first_failure_at_ns == 1_795_540_000_123_456_789
    assert loaded.convergence[1].last_failure_at_ns == 1_795_540_000_123_456_791


def test_of_two_tests_with_one_name_the_later_is_kept(tmp_path):
    calm, hurt = example_convergence()
    again = replace(calm, requests=hurt.requests, sent=1500)
    loaded = load_run(save_run(tmp_path, example_run(convergence=(calm, hurt, again))))
    assert [(event.name, len(event.requests["error"])) for event in loaded.convergence] == [
        ("agent restarted", 1500),
        ("link down", 1500),
    ]


def test_an_event_with_the_name_of_a_load_test_is_refused_before_anything_is_written(tmp_path):
    calm, _ = example_convergence()
    with pytest.raises(ValueError, match="share the names G29"):
        save_run(tmp_path, example_run(convergence=(replace(calm, name="G29"),)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["requests", "points", "checks", "timeline", "convergence", "steps"])
def test_frames_have_their_documented_columns_and_dtypes(saved, name):
    table = pandas.read_parquet(saved / f"{name}.parquet")
    documented = {column.name: column.dtype for column in getattr(frames, name.upper())}
    assert list(table.columns) == list(documented)
    assert {column: str(table[column].dtype) for column in table}.items() >= {
        (column, dtype) for column, dtype in documented.items() if dtype not in ("string", "category")
    }


def test_a_run_without_load_tests_has_empty_frames(tmp_path):
    saved = save_run(tmp_path, example_run(load_tests=(), timeline=(), steps=(), convergence=()))
    assert len(pandas.read_parquet(saved / "requests.parquet")) == 0
    assert load_run(saved).load_tests == ()


def test_tests_and_points_join_by_name(saved):
    requests, points = (pandas.read_parquet(saved / f"{name}.parquet") for name in ("requests", "points"))
    hits = requests.groupby(["test", "node"], observed=True).size()
    for row in points[(points.kind == "node") & (points.observed > 0)].itertuples():
        assert hits[(row.test, row.name)] == row.observed


def test_evidence_of_any_shape_can_be_kept(tmp_path):
    odd = {IPv4Address("10.0.0.1"): {Verdict.HOLDS}, "when": float("nan"), "raw": b"\x00"}
    check = replace(example_checks()[0], evidence=odd)
    loaded = load_run(save_run(tmp_path, example_run(checks=(check,))))
    assert loaded.checks[0].evidence == {"10.0.0.1": ["holds"], "when": "nan", "raw": "b'\\x00'"}


def test_commands_are_kept_step_by_step(saved):
    assert "# G01  provision\nbgp-lab up --name guide" in (saved / "commands.txt").read_text()


def test_run_ids_sort_by_time():
    assert new_run_id(1_000_000_000).startswith("20010909T014640Z-")
    assert new_run_id(1_000_000_000) < new_run_id(1_000_000_001)


def test_a_place_that_takes_no_files_is_refused_beforehand(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match=r"results: Not a directory\n  do:  make room there, or .*BGPLAB_RESULTS"):
        refuse_unwritable(tmp_path / "file" / "results")
    refuse_unwritable(tmp_path / "new" / "results")
    assert list((tmp_path / "new" / "results").iterdir()) == []


def test_a_place_without_room_is_refused_beforehand(tmp_path, monkeypatch):
    monkeypatch.setattr(directory, "ROOM_BYTES", 1 << 60)
    with pytest.raises(MachineError, match="MiB are free, a run takes up to"):
        refuse_unwritable(tmp_path)


def test_a_disk_that_fills_up_is_told_as_such(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(directory, "_write", full)
    with pytest.raises(MachineError, match=r"could not be kept as .*: No space left on device"):
        save_run(tmp_path, example_run())
    assert list(tmp_path.glob("*/*/*")) == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("run.json", "[]"),
        ("run.json", '{"format": 2}'),
        ("run.json", '"text"'),
        ("checks.parquet", "PAR1"),
        ("requests.parquet", ""),
        ("timeline.parquet", None),
        ("evidence/000-G01.json", "{"),
        ("evidence/000-G01.json", "[]"),
    ],
)
def test_a_run_of_which_a_part_is_broken_is_refused(saved, name, content):
    (saved / name).unlink() if content is None else (saved / name).write_text(content)
    with pytest.raises(InputError, match=r"is no whole run|is not a run"):
        load_run(saved)


def test_bytes_that_are_no_text_do_not_cost_the_run(tmp_path):
    said = save_run(tmp_path, example_run(), {"summary.md": "a \udcff b"}) / "summary.md"
    assert said.read_text() == "a \\udcff b"
