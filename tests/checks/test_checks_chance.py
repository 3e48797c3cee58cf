"""What chance may do: the numbers behind the false-alarm rates."""

from __future__ import annotations

import pytest

from bgplab.checks.chance import SHARES, binomial_p_value, requests_to_see_all
from bgplab.traffic.statistics import judge_proportion


def test_the_checks_share_the_runs_rate_and_no_more() -> None:
    assert sum(SHARES.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("hits", "total", "share"), [(21, 60, 1 / 3), (0, 60, 1 / 3), (60, 60, 1 / 3), (480, 720, 0.4)]
)
def test_the_binomial_test_agrees_with_scipys(hits: int, total: int, share: float) -> None:
    theirs = judge_proportion(hits, total, share).figures["p_value"]
    assert binomial_p_value(hits, total, share) == pytest.approx(theirs, rel=1e-6)


@pytest.mark.parametrize("backends", [2, 3, 10, 100])
def test_so_many_requests_miss_nobody(backends: int) -> None:
    sent = requests_to_see_all(backends, 1e-7)
    assert backends * (1 - 1 / backends) ** sent <= 1e-7 < backends * (1 - 1 / backends) ** (sent - 2)


def test_a_single_backend_needs_one_request() -> None:
    assert requests_to_see_all(1, 1e-7) == 1
