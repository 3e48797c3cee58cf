from dataclasses import replace

import pytest
from example_run import example_checks, example_convergence, example_run

from bgplab.checks.finding import Verdict, holds
from bgplab.results.record import CheckResult

GOOD = example_checks()[0]
BAD = replace(GOOD, id="G22", verdict=Verdict.FAILS, reason="2 paths")
UNCLEAR = replace(GOOD, id="G29", verdict=Verdict.INCONCLUSIVE, reason="too few")
SKIPPED = replace(GOOD, id="G14", verdict=Verdict.SKIPPED)


@pytest.mark.parametrize(
    ("checks", "verdict", "sentence"),
    [
        ((GOOD,), Verdict.HOLDS, "The one observation holds."),
        ((GOOD, GOOD, SKIPPED), Verdict.HOLDS, "All 2 observations hold."),
        ((GOOD, UNCLEAR), Verdict.INCONCLUSIVE, "G29 could not be told: too few"),
        ((UNCLEAR, GOOD, BAD, BAD), Verdict.FAILS, "G22 does not hold: 2 paths (1 more)"),
        ((SKIPPED,), Verdict.INCONCLUSIVE, "Nothing was judged."),
        ((), Verdict.INCONCLUSIVE, "Nothing was judged."),
    ],
)
def test_a_runs_verdict_is_its_worst_checks(checks, verdict, sentence):
    run = example_run(checks=checks, convergence=())
    assert (run.verdict, run.sentence) == (verdict, sentence)


def test_an_event_that_no_check_judges_counts_as_one():
    event = replace(example_convergence()[1], verdict=Verdict.FAILS, reason="40 lost", check_id="")
    run = example_run(checks=(GOOD,), convergence=(event,))
    assert (run.verdict, run.sentence) == (Verdict.FAILS, "link down does not hold: 40 lost")


def test_an_event_that_a_check_judges_counts_once():
    run = example_run(checks=(GOOD,), convergence=(replace(example_convergence()[1], check_id=GOOD.id),))
    assert (run.verdict, run.sentence) == (Verdict.HOLDS, "The one observation holds.")


def test_a_run_that_broke_fails_though_all_its_checks_hold():
    run = example_run(checks=(GOOD,), error="the lab's daemon died")
    assert run.verdict is Verdict.FAILS
    assert run.sentence == "The run ended early: the lab's daemon died"


def test_a_result_is_made_of_a_finding():
    made = CheckResult.of("G22", "one path per node", holds("3 paths", paths=3), seconds=0.2, commands=["vtysh"])
    assert (made.verdict, made.figures, made.commands) == (Verdict.HOLDS, {"paths": 3}, ("vtysh",))
