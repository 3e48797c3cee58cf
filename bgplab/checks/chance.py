"""How the run's false-alarm rate (1e-6) is divided among the checks in which chance has a word."""

from __future__ import annotations

import math

from bgplab.traffic.statistics import FALSE_ALARM_RATE

#: Of the run's rate; the sum is 1. A window's looks are covered: LOOKS_AT_MOST divides those of G06.
SHARES = {"G06": 0.2, "G16": 0.1, "G25": 0.1, "load tests": 0.6}
LOOKS_AT_MOST = 20


def rate_of(what: str) -> float:
    return SHARES[what] * FALSE_ALARM_RATE


def requests_to_see_all(backends: int, rate: float) -> int:
    """So many random draws miss one of `backends` with a probability of at most `rate` (union bound)."""
    if backends < 2:
        return 1
    return math.ceil(math.log(rate / backends) / math.log(1 - 1 / backends))


def binomial_p_value(hits: int, total: int, share: float) -> float:
    """Exact two-sided binomial test: the probability of all outcomes that are at most as probable as this one.

    Written out because importing scipy.stats takes longer (1.5–4 s) than the observation that is judged.
    """
    if not 0 < share < 1:
        return 1.0 if hits == round(total * share) else 0.0

    def log_probability(count: int) -> float:
        ways = math.lgamma(total + 1) - math.lgamma(count + 1) - math.lgamma(total - count + 1)
        return ways + count * math.log(share) + (total - count) * math.log(1 - share)

    mine = log_probability(hits) + 1e-9  # equally probable outcomes differ by rounding only
    terms = (log_probability(count) for count in range(total + 1))
    return min(1.0, math.fsum(math.exp(term) for term in terms if term <= mine))
