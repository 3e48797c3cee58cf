"""The simulation behind docs/statistics.md."""

from __future__ import annotations

import numpy
import pytest
from scipy.stats import binom

from benchmarks.false_alarms import (
    BEGIN,
    END,
    FAIR,
    PAGE,
    WEIGHTED,
    Measured,
    alarms,
    draws,
    exact_false_alarm_rate,
    p_values,
    tilted,
    verdicts,
)
from bgplab.checks.finding import Verdict
from bgplab.traffic.statistics import chi_square, effect_size, imbalance_effect


def test_the_same_seed_gives_the_same_figures() -> None:
    one, other = (alarms(numpy.random.default_rng(3), 600, FAIR, FAIR, 2000) for _ in range(2))
    assert one == other


def test_p_values_of_arrays_are_those_of_the_judge() -> None:
    counts = next(draws(numpy.random.default_rng(4), 5000, WEIGHTED, 50))
    judged = [chi_square(list(map(int, row)), WEIGHTED) for row in counts]
    expected = [fit.p_value if fit.effect >= 0.01 else 1.0 for fit in judged]
    assert list(p_values(counts, WEIGHTED)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("shares", [FAIR, WEIGHTED])
def test_fair_runs_fail_as_often_as_asked(shares: tuple[float, ...]) -> None:
    runs = 20_000
    low, high = binom.interval(1 - 1e-6, runs, 0.01)
    assert low <= alarms(numpy.random.default_rng(5), 6000, shares, shares, runs)[0.01].found <= high


def test_what_is_tilted_has_the_effect_that_power_reckons_with() -> None:
    made = tilted(WEIGHTED, 0.2)
    assert sum(made) == pytest.approx(1)
    counts = [round(share * 6_000_000) for share in made]
    assert effect_size(counts, WEIGHTED) == pytest.approx(imbalance_effect(WEIGHTED, 0.2), rel=1e-4)


def test_both_ways_of_judging_find_the_same_failures() -> None:
    seen = verdicts(numpy.random.default_rng(6), 2082, tilted(FAIR, 0.2), FAIR, 500, 1e-6)
    assert seen[Verdict.FAILS] > 400
    assert seen.total() == 500


def test_the_exact_test_keeps_below_the_rate_asked() -> None:
    assert 0 < exact_false_alarm_rate(12, FAIR, 0.05) <= 0.05


def test_an_interval_holds_the_rate_it_was_measured_from() -> None:
    low, high = Measured(50, 10_000).interval
    assert low < 0.005 < high


def test_the_page_has_measured_tables() -> None:
    text = PAGE.read_text().split(BEGIN)[1].split(END)[0]
    assert "| 1/3, 1/3, 1/3 | 6,000 | 1e-06 | " in text
    assert "| 20% | 2,082 | 0.9002 | " in text
