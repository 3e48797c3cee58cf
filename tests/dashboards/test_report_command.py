"""`bgp-lab report`, and its `--compare`."""

import json
import webbrowser
from dataclasses import replace

import pytest
from example_run import example_checks, example_run

from bgplab.checks.finding import Verdict
from bgplab.cli.report import report
from bgplab.errors import InputError
from bgplab.results.directory import save_run

A, B = "20261124T173012Z-1a2b3c", "20261124T183012Z-4d5e6f"


@pytest.fixture
def results(tmp_path):
    save_run(tmp_path, example_run(), {"report.html": "<p>a"})
    failed = replace(example_checks()[0], verdict=Verdict.FAILS, reason="3 hosts answer")
    changed = example_run(run_id=B, checks=(failed, *example_checks()[1:]), started_ns=example_run().started_ns + 1)
    save_run(tmp_path, changed, {"report.html": "<p>b"})
    return tmp_path


@pytest.fixture(autouse=True)
def opened(monkeypatch):
    """The pages that were given to a browser."""
    pages = []
    monkeypatch.setattr(webbrowser, "open", lambda url: pages.append(url) or True)
    return pages


def run(capsys, results, *words):
    status = report.main([*words, "--results", str(results)], standalone_mode=False)
    return status, capsys.readouterr().out.splitlines()


def test_the_newest_report_is_named(capsys, results, opened):
    assert run(capsys, results) == (0, [str(results / "bgp-lab" / "guide" / B / "report.html")])
    assert opened == []


def test_a_report_is_opened_when_asked(capsys, results, opened):
    run(capsys, results, A, "--open")
    assert opened == [(results / "bgp-lab" / "guide" / A / "report.html").as_uri()]


def test_two_runs_become_a_page_side_by_side(capsys, results):
    status, said = run(capsys, results, "--compare", A, B)
    page = results / "comparisons" / f"{A}_{B}.html"
    assert (status, said) == (1, ["G01: holds → fails (3 hosts answer)", str(page)])
    assert "1 verdict differs" in page.read_text()


def test_comparing_what_is_the_same_ends_well(capsys, results):
    status, said = run(capsys, results, "--compare", A, A)
    assert (status, said[0]) == (0, "no verdict differs")


def test_a_comparison_is_opened_when_asked_and_only_then_without_a_terminal(capsys, results, opened):
    run(capsys, results, "--compare", A, B)
    assert opened == []
    run(capsys, results, "--compare", A, B, "--open")
    assert opened == [(results / "comparisons" / f"{A}_{B}.html").as_uri()]


def test_a_comparison_as_json_names_page_and_differences(capsys, results):
    _, said = run(capsys, results, "--compare", A, B, "--json")
    told = json.loads("\n".join(said))
    assert told["differences"] == ["G01: holds → fails (3 hosts answer)"]
    assert told["page"].endswith(f"{A}_{B}.html")


def test_a_run_that_is_not_there_is_wrong_input(capsys, results):
    with pytest.raises(InputError, match="no run 'nothing'"):
        run(capsys, results, "--compare", A, "nothing")


def test_a_page_of_comparison_is_no_run(capsys, results):
    run(capsys, results, "--compare", A, B)
    assert len(run(capsys, results, "--list")[1]) == 2
