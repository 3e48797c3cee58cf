from dataclasses import replace

from example_run import HOSTILE, example_checks, example_run, hostile_run
from html_page import Page

from bgplab.checks.finding import Verdict
from dashboards.compare import differing, pair_checks, render_comparison

FAILED = replace(example_checks()[0], verdict=Verdict.FAILS, reason="3 hosts answer")


def test_runs_alike_are_said_to_be():
    assert "The same verdicts" in Page(render_comparison(example_run(), example_run())).text


def test_a_changed_verdict_comes_first():
    now = example_run(checks=(FAILED, *example_checks()[1:]))
    text = Page(render_comparison(example_run(), now)).text
    assert "1 verdict differs" in text
    assert text.index("3 hosts answer") < text.index("All checks")


def test_a_check_that_one_run_lacks_differs():
    pairs = pair_checks(example_run(), example_run(checks=example_checks()[:4]))
    assert [pair.id for pair in pairs if not pair.same] == ["G29"]


def test_settings_that_differ_are_named():
    now = example_run(parameters={**example_run().parameters, "requests": 100}, seeds={})
    assert differing(example_run(), now) == [("requests", "6000", "100"), ("hash", "42", "–")]


def test_a_load_test_that_one_run_lacks_leaves_its_place_empty():
    page = Page(render_comparison(example_run(), example_run(load_tests=(), convergence=())))
    assert page.text.count("Not in this run.") == 4
    assert "Not in the run before." in Page(render_comparison(example_run(load_tests=()), example_run())).text


def test_events_under_traffic_stand_side_by_side():
    text = Page(render_comparison(example_run(), example_run())).text
    assert text.count("eth1 of k8s-w1 is set down") == 2


def test_hostile_runs_compare_as_text():
    page = Page(render_comparison(hostile_run(), hostile_run()))
    assert page.open == []
    assert not {"script", "img"} & set(page.tags)
    assert HOSTILE in page.text
