from dataclasses import replace

import pytest
from example_run import START, example_checks, example_run

from bgplab.checks.finding import Verdict
from bgplab.results.directory import save_run
from bgplab.results.history import differences, find_run, latest, list_runs, previous_verdicts

OLDER, NEWER = "20261124T000000Z-aaaaaa", "20261125T000000Z-bbbbbb"


@pytest.fixture
def results(tmp_path):
    failed = replace(example_checks()[0], verdict=Verdict.FAILS, reason="3 hosts")
    light = {"load_tests": (), "timeline": ()}
    save_run(tmp_path, example_run(run_id=OLDER, started_ns=START, checks=(failed,), **light))
    save_run(tmp_path, example_run(run_id=NEWER, started_ns=START + 10**9, checks=example_checks(), **light))
    return tmp_path


def test_runs_are_listed_newest_first(results):
    assert [run.run_id for run in list_runs(results)] == [NEWER, OLDER]


def test_an_unfinished_run_is_not_listed(results):
    (results / "bgp-lab" / "guide" / f".unfinished-{NEWER}").mkdir()
    (results / "bgp-lab" / "guide" / f".unfinished-{NEWER}" / "run.json").write_text("{}")
    assert len(list_runs(results)) == 2


def test_a_broken_run_is_passed_over(results):
    (results / "bgp-lab" / "guide" / OLDER / "run.json").write_text("{")
    assert [run.run_id for run in list_runs(results)] == [NEWER]


@pytest.mark.parametrize("content", ["[]", "null", '{"flow": "x"}', "\x00"])
def test_json_that_is_no_run_is_passed_over(results, content):
    (results / "bgp-lab" / "guide" / OLDER / "run.json").write_text(content)
    assert [run.run_id for run in list_runs(results)] == [NEWER]


def test_a_broken_run_before_costs_only_the_comparison(results):
    (results / "bgp-lab" / "guide" / OLDER / "checks.parquet").write_bytes(b"PAR1")
    assert previous_verdicts(results, "bgp-lab", "guide", NEWER) == {}
    (results / "bgp-lab" / "guide" / OLDER / "checks.parquet").unlink()
    assert previous_verdicts(results, "bgp-lab", "guide", NEWER) == {}


def test_without_runs_there_is_no_latest(tmp_path):
    assert latest(tmp_path / "nowhere") is None


@pytest.mark.parametrize(("named", "found"), [("latest", NEWER), ("20261124", OLDER), ("2026", None), ("x", None)])
def test_a_run_is_found_by_an_unambiguous_start_of_its_id(results, named, found):
    assert find_run(results, named) == (results / "bgp-lab" / "guide" / found if found else None)


def test_the_previous_run_is_the_one_before_this(results):
    assert previous_verdicts(results, "bgp-lab", "guide", NEWER) == {"G01": Verdict.FAILS}
    assert previous_verdicts(results, "bgp-lab", "other") == {}


def test_verdicts_that_changed_are_named(results):
    before = {"G01": Verdict.FAILS, "G06": Verdict.HOLDS, "G99": Verdict.HOLDS}
    changed = differences(before, example_checks()[:2])
    assert [str(change) for change in changed] == [
        "G01: fails → holds (4 hosts, 3 nodes Ready)",
        "G99: holds → not judged",
    ]
