import math
from fractions import Fraction

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bgplab.checks.finding import Verdict
from bgplab.traffic.statistics import (
    chi_square,
    connections_needed,
    effect_size,
    exact_multinomial,
    imbalance_effect,
    jain,
    judge_shares,
    per_test,
    power,
    wilson,
)

THIRDS = {name: Fraction(1, 3) for name in ("k8s-ctr", "k8s-w1", "k8s-w0")}
counts_and_weights = st.integers(2, 6).flatmap(
    lambda parts: st.tuples(
        st.lists(st.integers(0, 5000), min_size=parts, max_size=parts).filter(any),
        st.lists(st.integers(1, 20), min_size=parts, max_size=parts),
    )
)


def shares_of(weights):
    return [Fraction(weight, sum(weights)) for weight in weights]


@given(counts_and_weights)
@settings(max_examples=60, deadline=None)
def test_chi_square_agrees_with_scipy(case):
    counts, weights = case
    mine = chi_square(counts, shares_of(weights))
    theirs = stats.chisquare(counts, [float(share) * sum(counts) for share in shares_of(weights)])
    assert math.isclose(mine.statistic, theirs.statistic, rel_tol=1e-9, abs_tol=1e-9)
    assert math.isclose(mine.p_value, theirs.pvalue, rel_tol=1e-9, abs_tol=1e-300)


@given(st.integers(0, 400), st.integers(1, 400), st.floats(1e-7, 0.5))
@settings(max_examples=60, deadline=None)
def test_wilson_agrees_with_scipy(hits, total, rate):
    hits = min(hits, total)
    theirs = stats.binomtest(hits, total).proportion_ci(1 - rate, method="wilson")
    assert wilson(hits, total, rate) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@given(st.integers(0, 60), st.integers(1, 60), st.integers(1, 19))
@settings(max_examples=60, deadline=None)
def test_the_exact_test_of_two_parts_agrees_with_scipys_binomial_test(hits, total, twentieths):
    hits = min(hits, total)
    share = Fraction(twentieths, 20)
    theirs = stats.binomtest(hits, total, float(share)).pvalue
    assert exact_multinomial([hits, total - hits], [share, 1 - share]).p_value == pytest.approx(theirs, abs=1e-9)


def test_the_exact_test_of_three_parts_agrees_with_a_sum_by_hand():
    shares = [0.5, 0.3, 0.2]
    every = [(a, b, 9 - a - b) for a in range(10) for b in range(10 - a)]
    chances = {case: stats.multinomial.pmf(case, 9, shares) for case in every}
    mine = chances[(8, 0, 1)]
    by_hand = sum(chance for chance in chances.values() if chance <= mine * (1 + 1e-7))
    assert exact_multinomial([8, 0, 1], shares).p_value == pytest.approx(by_hand, abs=1e-9)


def test_effect_does_not_depend_on_the_samples_size():
    assert effect_size([40, 30, 30], [1 / 3] * 3) == pytest.approx(effect_size([4000, 3000, 3000], [1 / 3] * 3))


def test_jains_index_runs_from_one_down_to_one_in_n():
    assert jain([5, 5, 5]) == pytest.approx(1)
    assert jain([15, 0, 0]) == pytest.approx(1 / 3)
    assert jain([20, 10], [Fraction(2, 3), Fraction(1, 3)]) == pytest.approx(1)
    assert jain([0, 0]) == 0


def test_power_agrees_with_simulation():
    shares = [1 / 3] * 3
    tilted = [1.2 / 3, (3 - 1.2) / 6, (3 - 1.2) / 6]
    draws = numpy.random.default_rng(1).multinomial(2000, tilted, size=4000)
    found = numpy.mean([chi_square(list(map(int, draw)), shares).p_value < 1e-3 for draw in draws])
    assert found == pytest.approx(power(2000, shares, 0.20, 1e-3), abs=0.03)


def test_five_per_cent_on_three_nodes_takes_tens_of_thousands_of_connections():
    shares = list(THIRDS.values())
    needed = connections_needed(shares, 0.05, 1e-6, 0.9)
    assert power(needed, shares, 0.05, 1e-6) >= 0.9 > power(needed - 1, shares, 0.05, 1e-6)
    assert 30_000 < needed < 60_000


def test_imbalance_is_cohens_w_of_the_tilted_shares():
    assert imbalance_effect([1 / 3] * 3, 0.05) == pytest.approx(math.sqrt(0.05**2 / 3 * 1.5))


def test_fair_runs_fail_at_the_stated_rate():
    draws = numpy.random.default_rng(2).multinomial(6000, [1 / 3] * 3, size=10_000)
    rate = 0.01
    failed = sum(chi_square(list(map(int, draw)), [1 / 3] * 3).p_value < rate for draw in draws)
    low, high = stats.binom.interval(1 - 1e-6, 10_000, rate)
    assert low <= failed <= high


def test_no_fair_run_of_ten_thousand_fails_at_one_in_a_million():
    draws = numpy.random.default_rng(3).multinomial(6000, [1 / 3] * 3, size=10_000)
    assert min(chi_square(list(map(int, draw)), [1 / 3] * 3).p_value for draw in draws) > 1e-6


def test_small_fair_runs_fail_at_most_at_the_stated_rate_by_the_exact_test():
    draws = numpy.random.default_rng(4).multinomial(30, [1 / 3] * 3, size=3000)
    distinct, times = numpy.unique(numpy.sort(draws, axis=1), axis=0, return_counts=True)
    failed = sum(
        count
        for draw, count in zip(distinct, times, strict=True)
        if exact_multinomial(list(map(int, draw)), [1 / 3] * 3).p_value < 0.05
    )
    assert failed <= stats.binom.ppf(1 - 1e-6, 3000, 0.05)


def test_an_even_split_holds():
    judged = judge_shares({"k8s-ctr": 2010, "k8s-w1": 1980, "k8s-w0": 2010}, THIRDS)
    assert judged.verdict is Verdict.HOLDS


def test_a_skewed_split_fails_and_names_the_worst():
    judged = judge_shares({"k8s-ctr": 2600, "k8s-w1": 1700, "k8s-w0": 1700}, THIRDS)
    assert judged.verdict is Verdict.FAILS
    assert "k8s-ctr got 43.3% of 6000, expected 33.3%" in judged.reason


def test_an_answer_from_who_may_not_fails_whatever_the_shares():
    judged = judge_shares({"k8s-ctr": 2000, "k8s-w1": 2000, "k8s-w0": 2000, "k8s-w9": 1}, THIRDS)
    assert judged.verdict is Verdict.FAILS
    assert judged.reason == "answered but may not: k8s-w9 (1)"


def test_one_that_got_nothing_fails_by_name():
    judged = judge_shares({"k8s-ctr": 50, "k8s-w1": 50}, THIRDS)
    assert judged.verdict is Verdict.FAILS
    assert judged.reason == "got nothing of 100: k8s-w0"


def test_silence_in_a_tiny_sample_proves_nothing():
    assert judge_shares({"k8s-ctr": 2, "k8s-w1": 1}, THIRDS).verdict is Verdict.INCONCLUSIVE


def test_the_guides_hundred_cannot_tell_and_say_how_many_could():
    judged = judge_shares({"k8s-ctr": 32, "k8s-w1": 33, "k8s-w0": 35}, THIRDS)
    assert judged.verdict is Verdict.INCONCLUSIVE
    assert "100 connections cannot show an imbalance of 20%" in judged.reason


def test_a_significant_but_negligible_misfit_holds_and_says_so():
    millions = {"k8s-ctr": 3_345_000, "k8s-w1": 3_330_000, "k8s-w0": 3_325_000}
    judged = judge_shares(millions, THIRDS)
    assert judged.verdict is Verdict.HOLDS
    assert "negligible" in judged.reason


def test_an_unsaid_share_is_inconclusive():
    assert judge_shares({"a": 5, "b": 5}, {"a": None, "b": None}).verdict is Verdict.INCONCLUSIVE


def test_no_answer_at_all_is_inconclusive():
    assert judge_shares({}, THIRDS).verdict is Verdict.INCONCLUSIVE


def test_a_single_target_must_get_all():
    assert judge_shares({"only": 7}, {"only": Fraction(1)}).verdict is Verdict.HOLDS


def test_an_unfair_run_is_found_at_the_stated_power():
    generator = numpy.random.default_rng(5)
    names, tilted = list(THIRDS), [1.2 / 3, 0.9 / 3, 0.9 / 3]
    needed = connections_needed(list(THIRDS.values()), 0.20, 1e-6, 0.9)
    draws = generator.multinomial(needed, tilted, size=400)
    found = sum(
        judge_shares(dict(zip(names, map(int, draw), strict=True)), THIRDS).verdict is Verdict.FAILS for draw in draws
    )
    assert 0.84 <= found / 400 <= 0.96


def test_the_runs_false_alarm_rate_is_shared_by_its_tests():
    assert per_test(1e-6, 4) == pytest.approx(2.5e-7)
