"""Is this distribution the expected one? Membership first, then fit; and whether the sample could tell at all.

One number governs the verdicts: the false-alarm rate of a run (1e-6), divided evenly among its tests (Bonferroni).
scipy.special does the distributions, imported when first needed; scipy.stats gives the same but imports for seconds.

Numbers, and what they mean:
- p value: how often chance alone does at least this to a fair split. Small enough (below the false-alarm rate) fails.
- effect (Cohen's w): how far off, whatever the sample's size; 0 is exact, 0.1 small, 0.3 plain to see.
- Jain's index: 1 when everybody got their expected part, 1/n when one got everything.
- Wilson interval: where one share's true value lies, given what was counted.
- power: how surely a given imbalance would have been seen in a sample of this size.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from bgplab.checks.finding import Verdict

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

FALSE_ALARM_RATE = 1e-6  # of one run's verdict
RESOLUTION = 0.20  # the relative imbalance that a sample must be able to show, or nothing is said
POWER = 0.90  # how surely
NEGLIGIBLE_EFFECT = 0.01  # significant, yet of no consequence: 1.4 % of one share in three
EXACT_OUTCOMES = 200_000  # exact multinomial up to so many outcomes (0.1 s)

Number = int | float | Fraction


@dataclass(frozen=True, slots=True)
class Fit:
    """One goodness-of-fit test. effect: Cohen's w. power: of seeing RESOLUTION at the false-alarm rate used."""

    method: Literal["exact multinomial", "chi-square"]
    statistic: float
    degrees: int
    p_value: float
    effect: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict on a distribution with the figures it rests on."""

    verdict: Verdict
    reason: str
    fit: Fit | None = None
    figures: Mapping[str, float | int | str | None] = field(default_factory=dict)


def per_test(run_rate: float, tests: int) -> float:
    """The false-alarm rate of each of `tests` tests, so that the run's is at most `run_rate`."""
    return run_rate / max(1, tests)


def pearson(observed: Sequence[int], shares: Sequence[Number]) -> float:
    """Pearson's statistic, sum of (observed - expected)² / expected."""
    total = sum(observed)
    expected = [float(share) * total for share in shares]
    return math.fsum((seen - due) ** 2 / due for seen, due in zip(observed, expected, strict=True))


def effect_size(observed: Sequence[int], shares: Sequence[Number]) -> float:
    """Cohen's w (Cohen 1988, 7.2): the statistic without the sample's size."""
    total = sum(observed)
    return math.sqrt(pearson(observed, shares) / total) if total else 0.0


def chi_square(observed: Sequence[int], shares: Sequence[Number]) -> Fit:
    """Chi-square goodness of fit. Needs two parts and one hit at least; good from five expected hits per part on."""
    from scipy.special import chdtrc

    _require_sample(observed, shares)
    statistic, degrees = pearson(observed, shares), len(observed) - 1
    return Fit("chi-square", statistic, degrees, float(chdtrc(degrees, statistic)), effect_size(observed, shares))


def exact_multinomial(observed: Sequence[int], shares: Sequence[Number]) -> Fit:
    """The exact test: the probability of all outcomes that are at most as probable as this one.

    Enumerates C(n + k - 1, k - 1) outcomes; see outcomes(). Raises ValueError beyond 50 times EXACT_OUTCOMES.
    """
    import numpy
    from scipy.special import gammaln

    _require_sample(observed, shares)
    total, parts = sum(observed), len(observed)
    if outcomes(total, parts) > 50 * EXACT_OUTCOMES:
        raise ValueError(f"{total} hits on {parts} parts have too many outcomes to enumerate")
    logs = numpy.log(numpy.array([float(share) for share in shares]))
    blocks = [
        gammaln(total + 1) - gammaln(block + 1).sum(axis=1) + block @ logs for block in _compositions(total, parts)
    ]
    every = numpy.concatenate(blocks)
    counts = numpy.array(observed, dtype=float)
    mine = gammaln(total + 1) - gammaln(counts + 1).sum() + counts @ logs
    # equally probable outcomes differ by rounding only: 1e-9 counts them in
    p_value = float(numpy.exp(every[every <= mine + 1e-9]).sum())
    return Fit(
        "exact multinomial", pearson(observed, shares), parts - 1, min(1.0, p_value), effect_size(observed, shares)
    )


def outcomes(total: int, parts: int) -> int:
    """In how many ways `total` hits fall on `parts`."""
    return math.comb(total + parts - 1, parts - 1)


def _compositions(total: int, parts: int) -> Iterator[NDArray[numpy.float64]]:
    """All ways to write `total` as an ordered sum of `parts` counts, in blocks of rows (numpy arrays)."""
    import numpy

    if parts == 1:
        yield numpy.array([[total]], dtype=float)
    elif parts == 2:
        ones = numpy.arange(total + 1, dtype=float)
        yield numpy.column_stack((ones, total - ones))
    else:
        for first in range(total + 1):
            for rest in _compositions(total - first, parts - 1):
                yield numpy.column_stack((numpy.full(len(rest), float(first)), rest))


def fit(observed: Sequence[int], shares: Sequence[Number]) -> Fit:
    """The exact test where it is quick, chi-square otherwise."""
    if outcomes(sum(observed), len(observed)) <= EXACT_OUTCOMES:
        return exact_multinomial(observed, shares)
    return chi_square(observed, shares)


def wilson(hits: int, total: int, false_alarm_rate: float = 0.01) -> tuple[float, float]:
    """Wilson's score interval (Wilson 1927) of a share, at confidence 1 - false_alarm_rate. No sample: (0, 1)."""
    from scipy.special import ndtri

    if total == 0:
        return 0.0, 1.0
    z = float(ndtri(1 - false_alarm_rate / 2))
    share, square = hits / total, z * z / total
    middle = (share + square / 2) / (1 + square)
    half = z * math.sqrt(share * (1 - share) / total + square / (4 * total)) / (1 + square)
    return (0.0 if hits == 0 else middle - half), (1.0 if hits == total else middle + half)


def jain(observed: Sequence[int], shares: Sequence[Number] | None = None) -> float:
    """Jain's fairness index (Jain, Chiu, Hawe 1984) of what each got relative to its share; 0 without a hit."""
    relative = [seen / float(share) for seen, share in zip(observed, shares or [1] * len(observed), strict=True)]
    squares = math.fsum(value * value for value in relative)
    return math.fsum(relative) ** 2 / (len(relative) * squares) if squares else 0.0


def imbalance_effect(shares: Sequence[Number], imbalance: float) -> float:
    """Cohen's w when the smallest part gets `imbalance` more than its share (0.05: 5 %), the others giving alike."""
    parts = [float(share) for share in shares]
    smallest = min(parts)
    return imbalance * smallest * math.sqrt(1 / smallest + 1 / (1 - smallest))


def power(total: int, shares: Sequence[Number], imbalance: float, false_alarm_rate: float) -> float:
    """How surely chi-square sees that imbalance in `total` hits (noncentral chi-square)."""
    from scipy.special import chdtri, chndtr

    degrees = len(shares) - 1
    critical = chdtri(degrees, false_alarm_rate)
    return float(1 - chndtr(critical, degrees, total * imbalance_effect(shares, imbalance) ** 2))


def connections_needed(
    shares: Sequence[Number], imbalance: float = 0.05, false_alarm_rate: float = FALSE_ALARM_RATE, sure: float = POWER
) -> int:
    """The fewest connections in which that imbalance would be seen with probability `sure`."""
    return _connections_needed(tuple(float(share) for share in shares), imbalance, false_alarm_rate, sure)


@lru_cache(256)
def _connections_needed(shares: tuple[float, ...], imbalance: float, false_alarm_rate: float, sure: float) -> int:
    low, high = 1, 2
    while power(high, shares, imbalance, false_alarm_rate) < sure:
        low, high = high, high * 2
    while low < high:
        middle = (low + high) // 2
        if power(middle, shares, imbalance, false_alarm_rate) >= sure:
            high = middle
        else:
            low = middle + 1
    return low


def judge_membership(
    observed: Mapping[str, int], shares: Mapping[str, Number | None], false_alarm_rate: float
) -> Judgement | None:
    """Fails when somebody answered that may not, or somebody kept silent that should not; None when neither."""
    total = sum(observed.values())
    strangers = sorted(name for name, hits in observed.items() if hits and name not in shares)
    if strangers:
        told = ", ".join(f"{name} ({observed[name]})" for name in strangers)
        return Judgement(Verdict.FAILS, f"answered but may not: {told}", figures={"strangers": len(strangers)})
    silent = [
        name
        for name, share in shares.items()
        if share and not observed.get(name) and (1 - float(share)) ** total < false_alarm_rate
    ]
    if silent:
        told = ", ".join(sorted(silent))
        return Judgement(Verdict.FAILS, f"got nothing of {total}: {told}", figures={"silent": len(silent)})
    return None


def judge_shares(
    observed: Mapping[str, int],
    shares: Mapping[str, Number | None],
    *,
    false_alarm_rate: float = FALSE_ALARM_RATE,
    resolution: float = RESOLUTION,
    sure: float = POWER,
    noun: str = "connections",
) -> Judgement:
    """Compare counts with expected shares.

    observed: hits by name; names may be missing. shares: of all that may answer; None when unsaid. false_alarm_rate: of
    this test, see per_test(). noun: what is counted. Fails on membership or on a misfit; inconclusive when a share is
    unsaid or the sample could not have shown an imbalance of `resolution`; a misfit that is significant but negligible
    holds, and says so.
    """
    membership = judge_membership(observed, shares, false_alarm_rate)
    if membership is not None:
        return membership
    total = sum(observed.values())
    if not shares:
        return Judgement(Verdict.HOLDS, "nobody may answer, and nobody did")
    if total == 0:
        return Judgement(Verdict.INCONCLUSIVE, "no connection was answered")
    known = {name: share for name, share in shares.items() if share is not None}
    if len(known) < len(shares):
        return Judgement(Verdict.INCONCLUSIVE, "only those answered that may; their shares cannot be said")
    if len(known) == 1:
        return Judgement(Verdict.HOLDS, f"all {total} went to {next(iter(known))}, as they must")
    return _judge_fit(observed, known, false_alarm_rate, resolution, sure, noun)


def _judge_fit(
    observed: Mapping[str, int], shares: Mapping[str, Number], rate: float, resolution: float, sure: float, noun: str
) -> Judgement:
    counts, parts = [observed.get(name, 0) for name in shares], list(shares.values())
    total = sum(counts)
    tested = fit(counts, parts)
    seen = power(total, parts, resolution, rate)
    figures: dict[str, float | int | str | None] = {
        "connections": total,
        "method": tested.method,
        "chi_square": tested.statistic,
        "p_value": tested.p_value,
        "effect_w": tested.effect,
        "jain": jain(counts, parts),
        "false_alarm_rate": rate,
        f"power_{resolution:.0%}": seen,
        "needed_for_5%": connections_needed(parts, 0.05, rate, sure),
    }
    worst = max(shares, key=lambda name: abs(observed.get(name, 0) / total - float(shares[name])))
    told = f"{worst} got {observed.get(worst, 0) / total:.1%} of {total}, expected {float(shares[worst]):.1%}"
    said = f"p = {tested.p_value:.2g}, w = {tested.effect:.3f}"
    if tested.p_value < rate and tested.effect >= NEGLIGIBLE_EFFECT:
        return Judgement(Verdict.FAILS, f"{told} ({said})", tested, figures)
    if seen < sure:
        needed = connections_needed(parts, resolution, rate, sure)
        short = f"{total} {noun} cannot show an imbalance of {resolution:.0%} ({needed} could); {said}"
        return Judgement(Verdict.INCONCLUSIVE, short, tested, figures)
    if tested.p_value < rate:
        return Judgement(Verdict.HOLDS, f"off by a negligible amount: {told} ({said})", tested, figures)
    return Judgement(Verdict.HOLDS, f"{total} {noun} as expected; farthest off: {told} ({said})", tested, figures)


def _require_sample(observed: Sequence[int], shares: Sequence[Number]) -> None:
    if len(observed) < 2 or len(observed) != len(shares) or sum(observed) == 0:
        raise ValueError("a fit needs two parts or more, a share for each, and a hit")
    if any(share <= 0 for share in shares) or abs(float(sum(shares)) - 1) > 1e-9:  # type: ignore[arg-type]
        raise ValueError(f"shares must be positive and sum to 1, not {[float(share) for share in shares]}")
