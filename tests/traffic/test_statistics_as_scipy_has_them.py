"""Every figure of bgplab.traffic.statistics against scipy.stats, on random input, to 1e-9."""

import itertools
import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from bgplab.traffic.statistics import (
    chi_square,
    connections_needed,
    effect_size,
    exact_multinomial,
    imbalance_effect,
    jain,
    power,
    wilson,
)

random_input = settings(max_examples=80, deadline=None)
weights = st.lists(st.integers(1, 20), min_size=2, max_size=6)
rates = st.floats(1e-7, 0.2)


def shares_of(given_weights):
    return [weight / sum(given_weights) for weight in given_weights]


@given(weights, st.data())
@random_input
def test_chi_square_and_effect_are_those_of_power_divergence(given_weights, data):
    parts = len(given_weights)
    counts = data.draw(st.lists(st.integers(0, 20_000), min_size=parts, max_size=parts).filter(any))
    shares = shares_of(given_weights)
    theirs = stats.power_divergence(counts, [share * sum(counts) for share in shares], lambda_="pearson")
    mine = chi_square(counts, shares)
    assert mine.p_value == pytest.approx(theirs.pvalue, abs=1e-9)
    assert mine.statistic == pytest.approx(theirs.statistic, rel=1e-9, abs=1e-9)
    assert effect_size(counts, shares) == pytest.approx(math.sqrt(theirs.statistic / sum(counts)), rel=1e-9, abs=1e-9)


@given(st.lists(st.integers(1, 9), min_size=3, max_size=3), st.lists(st.integers(0, 12), min_size=3, max_size=3))
@settings(max_examples=40, deadline=None)
def test_the_exact_test_is_a_sum_over_scipys_multinomial(given_weights, counts):
    assume(any(counts))
    total, shares = sum(counts), shares_of(given_weights)
    every = [(a, b, total - a - b) for a, b in itertools.product(range(total + 1), repeat=2) if a + b <= total]
    logs = stats.multinomial.logpmf(every, total, shares)
    at_most = stats.multinomial.logpmf(counts, total, shares) + 1e-9
    theirs = math.fsum(math.exp(log) for log in logs if log <= at_most)
    assert exact_multinomial(counts, shares).p_value == pytest.approx(theirs, abs=1e-9)


@given(st.integers(1, 1_000_000), st.data(), rates)
@random_input
def test_wilsons_interval_is_binomtests(total, data, rate):
    hits = data.draw(st.integers(0, total))
    theirs = stats.binomtest(hits, total).proportion_ci(1 - rate, method="wilson")
    assert wilson(hits, total, rate) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@given(st.integers(1, 100_000), weights, st.floats(0.01, 0.5), rates)
@random_input
def test_power_is_that_of_the_noncentral_chi_square(total, given_weights, imbalance, rate):
    shares = shares_of(given_weights)
    degrees, noncentrality = len(shares) - 1, total * imbalance_effect(shares, imbalance) ** 2
    theirs = stats.ncx2.sf(stats.chi2.isf(rate, degrees), degrees, noncentrality)
    assert power(total, shares, imbalance, rate) == pytest.approx(theirs, abs=1e-9)


@given(weights, st.floats(0.01, 0.5))
@random_input
def test_an_imbalance_has_the_effect_of_the_shares_it_makes(given_weights, imbalance):
    shares = shares_of(given_weights)
    smallest = min(shares)
    assume(smallest * (1 + imbalance) < 1)
    place = shares.index(smallest)
    rest = (1 - smallest * (1 + imbalance)) / (1 - smallest)
    made = [smallest * (1 + imbalance) if at == place else share * rest for at, share in enumerate(shares)]
    by_hand = math.sqrt(stats.chisquare(made, shares).statistic)
    assert imbalance_effect(shares, imbalance) == pytest.approx(by_hand, rel=1e-9, abs=1e-9)


@given(weights, st.sampled_from([0.05, 0.1, 0.2]), st.sampled_from([1e-6, 1e-3]))
@settings(max_examples=20, deadline=None)
def test_the_connections_needed_are_the_fewest(given_weights, imbalance, rate):
    shares = shares_of(given_weights)
    needed = connections_needed(shares, imbalance, rate, 0.9)
    assert power(needed, shares, imbalance, rate) >= 0.9 > power(needed - 1, shares, imbalance, rate)


@given(weights, st.integers(1, 1000))
@random_input
def test_jains_index_is_one_for_what_was_expected_and_never_above(given_weights, times):
    assert jain([weight * times for weight in given_weights], shares_of(given_weights)) == pytest.approx(1, abs=1e-9)
    assert jain([times, *[0] * (len(given_weights) - 1)]) == pytest.approx(1 / len(given_weights), abs=1e-9)
