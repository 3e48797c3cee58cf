import random
import re
import time
from dataclasses import replace
from itertools import pairwise

import pytest
from example_run import (
    HOSTILE,
    PODS,
    START,
    example_checks,
    example_run,
    hostile_run,
    load_test,
)
from html_page import Page

from bgplab.checks.finding import Verdict
from bgplab.results.directory import load_run, save_run
from bgplab.results.history import Difference
from dashboards.report import render_report


@pytest.fixture(scope="module")
def page():
    return Page(render_report(example_run()))


def test_every_element_is_closed(page):
    assert page.open == []


def test_ids_are_unique(page):
    assert len(page.ids) == len(set(page.ids))


def test_it_refers_to_nothing_outside_itself(page):
    assert all(reference.startswith("#") for reference in page.references)
    assert {reference[1:] for reference in page.references} <= set(page.ids)


def test_it_has_no_script(page):
    assert "script" not in page.tags
    assert not [name for name, _ in page.attributes if name.startswith("on")]


def test_it_forbids_the_browser_any_request():
    assert "default-src 'none'" in render_report(example_run())


def test_headings_descend_without_a_gap(page):
    levels = [int(tag[1]) for tag in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_the_verdict_and_the_sentence_that_matters_come_first():
    failed = replace(example_checks()[2], verdict=Verdict.FAILS, reason="2 of 3 sessions are up")
    text = Page(render_report(example_run(checks=(example_checks()[0], failed)))).text
    assert text.index("Something does not hold") < text.index("G11 does not hold: 2 of 3 sessions are up")
    assert text.index("2 of 3 sessions are up") < text.index("Topology")


def test_what_does_not_hold_is_open():
    failed = replace(example_checks()[2], verdict=Verdict.FAILS)
    html = render_report(example_run(checks=(example_checks()[0], failed)))
    assert re.findall(r'<details class="check"( open)? id="check-(\d)"', html) == [("", "0"), (" open", "1")]


def test_each_node_and_endpoint_stands_with_count_and_expected_share(page):
    for name in (*PODS, *PODS.values()):
        assert name in page.text
    assert "2\u202f030" in page.text and "33.3\u202f%" in page.text


def test_commands_and_evidence_are_kept(page):
    assert "kubectl exec curl-pod -- curl -s --connect-timeout 1 webpod" in page.text
    assert '"exit": 28' in page.text


def test_parameters_versions_seeds_and_the_command_are_there(page):
    for text in ("bgp-lab run bgp-lab --lab guide", "8.4.4", "hash42", "until"):
        assert text in page.text.replace("\n", "")


def test_a_skipped_check_names_what_superseded_it(page):
    assert "superseded by G15" in page.text


def test_changes_since_the_run_before_are_shown():
    text = Page(render_report(example_run(), [Difference("G29", Verdict.HOLDS, Verdict.FAILS, "skewed")])).text
    assert "Not as in the run before" in text and "skewed" in text


@pytest.fixture(scope="module")
def hostile():
    return render_report(hostile_run())


def test_text_from_outside_is_never_markup(hostile):
    page = Page(hostile)
    assert page.open == []
    assert not {"script", "img"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]


def test_text_from_outside_is_still_readable(hostile):
    assert HOSTILE in Page(hostile).text


def test_a_run_with_nothing_in_it_has_a_report():
    empty = example_run(checks=(), steps=(), load_tests=(), timeline=(), machine=None, again="", convergence=())
    assert "Nothing was judged." in Page(render_report(empty)).text


def test_a_loaded_run_has_the_same_report(tmp_path):
    run = example_run()
    assert render_report(load_run(save_run(tmp_path, run))) == render_report(run)


def test_long_evidence_is_shortened_and_says_so():
    check = replace(example_checks()[0], evidence="x" * 1_000_000)
    html = render_report(example_run(checks=(check,)))
    assert len(html) < 120_000
    assert "Shortened; the whole is in evidence/." in html


def test_a_million_requests_take_little_room_and_time():
    count, dice = 1_000_000, random.Random(1)
    some = [round(dice.lognormvariate(6, 0.5)) for _ in range(1000)]
    columns = {
        "sequence": range(count),
        "start_ns": [START + number * 100_000 for number in range(count)],
        "total_us": some * (count // 1000),
        "error": [""] * count,
        "node": ["k8s-w1"] * count,
    }
    test = load_test("G29", "A million", columns, 1, Verdict.HOLDS, "fine")
    started = time.process_time()  # not the clock on the wall: other tests run beside this one
    html = render_report(example_run(load_tests=(test,)))
    assert time.process_time() - started <= 5
    assert len(html) <= 6_000_000
