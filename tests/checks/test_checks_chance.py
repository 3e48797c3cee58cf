"""What chance may do: the numbers behind the false-alarm rates."""

from __future__ import annotations

import pytest

from bgplab.checks.chance import SHARES, binomial_p_value, requests_to_see_all


def test_the_checks_share_the_runs_rate_and_no_more() -> None:
    assert sum(SHARES.values()) == pytest.approx(1)


#: p values of scipy.stats.binomtest (scipy 1.17.1); importing it would take longer than all the rest.
SCIPYS = [
    (21, 60, 1 / 3, 0.7852016851450372),
    (0, 60, 1 / 3, 3.5053601215706656e-11),
    (60, 60, 1 / 3, 2.358982487592565e-29),
    (480, 720, 0.4, 4.946597444886434e-47),
]


@pytest.mark.parametrize(("hits", "total", "share", "p_value"), SCIPYS)
def test_the_binomial_test_agrees_with_scipys(hits: int, total: int, share: float, p_value: float) -> None:
    assert binomial_p_value(hits, total, share) == pytest.approx(p_value, rel=1e-6)


@pytest.mark.parametrize("backends", [2, 3, 10, 100])
def test_so_many_requests_miss_nobody(backends: int) -> None:
    sent = requests_to_see_all(backends, 1e-7)
    assert backends * (1 - 1 / backends) ** sent <= 1e-7 < backends * (1 - 1 / backends) ** (sent - 2)


def test_a_single_backend_needs_one_request() -> None:
    assert requests_to_see_all(1, 1e-7) == 1
