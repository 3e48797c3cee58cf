"""Medians and growth."""

from __future__ import annotations

import pytest

from benchmarks.statistics import Series, growth, marginal_costs


def test_a_series_shows_its_median_and_its_range() -> None:
    series = Series((3.0, 1.0, 2.0))
    assert (series.median, series.least, series.most) == (2.0, 1.0, 3.0)


@pytest.mark.parametrize(("limit", "met"), [(1.9, False), (2.0, True), (2.1, True)])
def test_a_limit_is_met_by_the_median_not_by_the_best_run(limit: float, met: bool) -> None:
    assert Series((1.0, 2.0, 9.0)).meets(limit) is met


def test_marginal_costs_leave_the_fixed_cost_out() -> None:
    assert marginal_costs([(10, 105.0), (30, 115.0), (100, 150.0)]) == [0.5, 0.5]


def test_linear_growth_is_one_whatever_the_order_and_the_fixed_cost() -> None:
    assert growth([(100, 150.0), (10, 105.0), (30, 115.0)]) == pytest.approx(1.0)


def test_quadratic_growth_is_more_than_one() -> None:
    assert growth([(10, 100.0), (30, 900.0), (100, 10000.0)]) == pytest.approx(130 / 40)


def test_growth_from_one_size_is_refused() -> None:
    with pytest.raises(ValueError, match="two sizes"):
        growth([(10, 1.0), (10, 2.0)])


def test_growth_is_no_ratio_when_the_first_step_cost_nothing() -> None:
    with pytest.raises(ValueError, match="no ratio"):
        growth([(10, 2.0), (30, 1.0), (100, 3.0)])
