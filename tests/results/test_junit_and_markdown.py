from dataclasses import replace
from xml.etree import ElementTree

import pytest
from example_run import HOSTILE, example_checks, example_convergence, example_run, hostile_run

from bgplab.checks.finding import Verdict
from bgplab.results.history import Difference
from bgplab.results.junit import junit_xml
from bgplab.results.markdown import markdown_summary

FAILED = replace(example_checks()[2], verdict=Verdict.FAILS, reason="2 of 3 sessions")
UNCLEAR = replace(example_checks()[4], verdict=Verdict.INCONCLUSIVE, reason="too few")


def suite(run):
    return ElementTree.fromstring(junit_xml(run)).find("testsuite")


def test_every_check_is_a_test_case():
    assert [case.get("name")[:3] for case in suite(example_run())] == ["G01", "G06", "G11", "G14", "G29"]


def test_verdicts_are_junits_own_words():
    found = suite(example_run(checks=(FAILED, UNCLEAR, example_checks()[3], example_checks()[0])))
    assert [[child.tag for child in case] for case in found] == [["failure"], ["error"], ["skipped"], ["system-out"]]
    assert (found.get("failures"), found.get("errors"), found.get("skipped")) == ("1", "1", "1")


def test_a_run_that_broke_is_an_error_in_ci():
    found = suite(example_run(error="no daemon"))
    assert found.get("errors") == "1"
    assert found.findall("testcase")[-1].find("error").get("message") == "no daemon"


def test_junit_stays_xml_whatever_the_texts_hold():
    found = suite(hostile_run())
    assert found.find("testcase/failure").get("message") == HOSTILE.replace("\x07", "\ufffd")


def test_markdown_begins_with_verdict_and_sentence():
    lines = markdown_summary(example_run(checks=(FAILED,))).splitlines()
    assert lines[0] == "# ❌ bgp-lab on guide: fails"
    assert lines[2] == "G11 does not hold: 2 of 3 sessions"


def test_markdown_names_changed_verdicts():
    text = markdown_summary(example_run(), [Difference("G29", Verdict.HOLDS, Verdict.FAILS, "skewed")])
    assert "- G29: holds → fails &#40;skewed&#41;" in text


def test_markdown_shows_each_load_tests_shares():
    assert "| node | k8s-w1 | 6000 | 100.0% | – | 99.9% … 100.0% |" in markdown_summary(example_run())


@pytest.mark.parametrize("active", ["<script", "<img", "](", "\x07\n#"])
def test_markdown_carries_no_markup_from_outside(active):
    assert active not in markdown_summary(hostile_run())


def test_an_event_that_no_check_judges_is_a_case():
    event = replace(example_convergence()[1], verdict=Verdict.FAILS, reason="40 lost", check_id="")
    found = suite(example_run(convergence=(event,)))
    assert (found.get("tests"), found.get("failures")) == ("6", "1")
    assert found.find('testcase[@name="link down Node\'s link down"]/failure').get("message") == "40 lost"


def test_markdown_tells_what_each_event_cost():
    text = markdown_summary(example_run())
    assert "| 449 of 1500 | 9.00 s | 9.02 s |" in text
