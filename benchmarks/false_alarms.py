"""How often a fair distribution is called unfair, and an unfair one is found: simulated, with a seed.

    python -m benchmarks.false_alarms [--runs 100000000] [--judged 10000] [--seed 20261124] [--write]

Prints the tables of docs/statistics.md; --write puts them there. Two ways to judge, which must agree where both look:
bgplab.traffic.statistics.judge_shares() itself for --judged runs each, and the same rule on whole arrays for --runs.
"""

from __future__ import annotations

import argparse
import itertools
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy
from scipy.special import chdtrc
from scipy.stats import binomtest, multinomial

from bgplab.checks.finding import Verdict
from bgplab.traffic.statistics import (
    FALSE_ALARM_RATE,
    NEGLIGIBLE_EFFECT,
    connections_needed,
    exact_multinomial,
    judge_shares,
    per_test,
    power,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

PAGE = Path(__file__).resolve().parents[1] / "docs" / "statistics.md"
BEGIN, END = "<!-- measured: python -m benchmarks.false_alarms --write -->", "<!-- end of what was measured -->"
RATES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
BLOCK = 500_000
FAIR, WEIGHTED = (1 / 3, 1 / 3, 1 / 3), (1 / 2, 1 / 3, 1 / 6)
NAMES = ("k8s-ctr", "k8s-w1", "k8s-w0")


@dataclass(frozen=True, slots=True)
class Measured:
    """So many of so many runs."""

    found: int
    runs: int

    @property
    def rate(self) -> float:
        return self.found / self.runs

    @property
    def interval(self) -> tuple[float, float]:
        """Clopper and Pearson's exact 99 % interval of the true rate."""
        ends = binomtest(self.found, self.runs).proportion_ci(0.99, "exact")
        return float(ends.low), float(ends.high)

    def of(self, rate: float) -> str:
        """The rate as a multiple of the stated one, with its interval."""
        low, high = self.interval
        return f"{self.rate / rate:.3f} [{low / rate:.3f}–{high / rate:.3f}]"


def draws(dice: numpy.random.Generator, total: int, shares: Sequence[float], runs: int) -> Iterator[NDArray]:
    """Counts of `runs` load tests of `total` connections each, in blocks of rows."""
    for start in range(0, runs, BLOCK):
        yield dice.multinomial(total, shares, size=min(BLOCK, runs - start))


def p_values(counts: NDArray, shares: Sequence[float]) -> NDArray:
    """chi_square()'s p value of each row, smaller than any rate where the effect is not negligible; 1 where it is."""
    total = int(counts[0].sum())
    expected = numpy.array(shares) * total
    statistic = ((counts - expected) ** 2 / expected).sum(axis=1)
    return numpy.where(numpy.sqrt(statistic / total) < NEGLIGIBLE_EFFECT, 1.0, chdtrc(len(shares) - 1, statistic))


def alarms(
    dice: numpy.random.Generator, total: int, drawn: Sequence[float], claimed: Sequence[float], runs: int
) -> dict[float, Measured]:
    """How many runs fail at each of RATES, when connections fall by `drawn` and are judged by `claimed`."""
    found: Counter[float] = Counter()
    for counts in draws(dice, total, drawn, runs):
        values = p_values(counts, claimed)
        for rate in RATES:
            found[rate] += int((values < rate).sum())
    return {rate: Measured(found[rate], runs) for rate in RATES}


def verdicts(
    dice: numpy.random.Generator, total: int, drawn: Sequence[float], claimed: Sequence[float], runs: int, rate: float
) -> Counter[Verdict]:
    """Verdicts of judge_shares() on as many simulated load tests; the array rule must find the same failures."""
    counts = numpy.concatenate(list(draws(dice, total, drawn, runs)))
    shares = dict(zip(NAMES, claimed, strict=True))
    given = [
        judge_shares(dict(zip(NAMES, map(int, row), strict=True)), shares, false_alarm_rate=rate).verdict
        for row in counts
    ]
    if total >= 1000:  # below, judge_shares() takes the exact test
        by_array = int((p_values(counts, claimed) < rate).sum())
        if by_array != given.count(Verdict.FAILS):
            raise AssertionError(f"{by_array} failures by arrays, {given.count(Verdict.FAILS)} by judge_shares()")
    return Counter(given)


def tilted(shares: Sequence[float], imbalance: float) -> tuple[float, ...]:
    """The smallest part gets so much more than its share, the others give alike: what power() is about."""
    smallest = min(range(len(shares)), key=lambda place: shares[place])
    more = shares[smallest] * (1 + imbalance)
    rest = (1 - more) / (1 - shares[smallest])
    return tuple(more if place == smallest else share * rest for place, share in enumerate(shares))


def exact_false_alarm_rate(total: int, shares: Sequence[float], rate: float) -> float:
    """Of the exact test, without dice: the probability of all outcomes that it fails."""
    outcomes = [(a, b, total - a - b) for a, b in itertools.product(range(total + 1), repeat=2) if a + b <= total]
    chances = multinomial.pmf(outcomes, total, shares)
    return float(
        sum(
            chance
            for outcome, chance in zip(outcomes, chances, strict=True)
            # an outcome no rarer than the rate has a p value no smaller
            if chance < rate and exact_multinomial(outcome, shares).p_value < rate
        )
    )


def false_alarm_table(dice: numpy.random.Generator, runs: int) -> list[str]:
    lines = ["| shares | connections | rate asked | fair runs | failed | measured / asked [99 % interval] |"]
    lines += ["|---|---|---|---|---|---|"]
    for name, shares, count in (("1/3, 1/3, 1/3", FAIR, runs), ("1/2, 1/3, 1/6", WEIGHTED, max(1, runs // 10))):
        for rate, seen in alarms(dice, 6000, shares, shares, count).items():
            lines.append(f"| {name} | 6,000 | {rate:.0e} | {seen.runs:,} | {seen.found:,} | {seen.of(rate)} |")
    return lines


def run_table(dice: numpy.random.Generator, runs: int) -> list[str]:
    """A run has several tests: four load tests, nodes and endpoints of each."""
    tests = 8
    lines = [f"| rate of a run asked | runs of {tests} tests | runs that failed | measured / asked [99 % interval] |"]
    lines += ["|---|---|---|---|"]
    smallest = [
        numpy.min([p_values(dice.multinomial(6000, FAIR, size=size), FAIR) for _ in range(tests)], axis=0)
        for size in [BLOCK] * (runs // BLOCK) + [runs % BLOCK] * bool(runs % BLOCK)
    ]
    values = numpy.concatenate(smallest)
    for rate in (1e-1, 1e-2, 1e-3, 1e-4):
        seen = Measured(int((values < per_test(rate, tests)).sum()), runs)
        lines.append(f"| {rate:.0e} | {runs:,} | {seen.found:,} | {seen.of(rate)} |")
    return lines


def power_table(dice: numpy.random.Generator, runs: int, judged: int) -> list[str]:
    head = "| imbalance | connections | stated power | found by judge_shares() | found by arrays | 99 % interval |"
    lines = [head, "|---|---|---|---|---|---|"]
    for imbalance in (0.20, 0.10, 0.05):
        total = connections_needed(FAIR, imbalance)
        unfair = tilted(FAIR, imbalance)
        failed = verdicts(dice, total, unfair, FAIR, judged, FALSE_ALARM_RATE)[Verdict.FAILS]
        seen = alarms(dice, total, unfair, FAIR, max(1, runs // 20))[FALSE_ALARM_RATE]
        low, high = seen.interval
        stated = power(total, FAIR, imbalance, FALSE_ALARM_RATE)
        lines.append(
            f"| {imbalance:.0%} | {total:,} | {stated:.4f} | {failed:,} of {judged:,} ({failed / judged:.3f}) "
            f"| {seen.found:,} of {seen.runs:,} ({seen.rate:.4f}) | {low:.4f} … {high:.4f} |"
        )
    return lines


def verdict_table(dice: numpy.random.Generator, judged: int) -> list[str]:
    lines = ["| connections | truth | holds | fails | inconclusive |", "|---|---|---|---|---|"]
    for total in (100, 1000, connections_needed(FAIR, 0.20), 6000):
        for truth, shares in (("fair", FAIR), ("one node 20 % too much", tilted(FAIR, 0.20))):
            runs = judged if total > 500 else max(1, judged // 10)  # the exact test takes its time
            seen = verdicts(dice, total, shares, FAIR, runs, FALSE_ALARM_RATE)
            kinds = (Verdict.HOLDS, Verdict.FAILS, Verdict.INCONCLUSIVE)
            lines.append(
                f"| {total:,} | {truth} | " + " | ".join(f"{seen[kind]:,} of {runs:,}" for kind in kinds) + " |"
            )
    return lines


def exact_table() -> list[str]:
    lines = ["| connections | rate asked | the exact test's own |", "|---|---|---|"]
    for total in (10, 30, 60):
        for rate in (1e-2, 1e-4, 1e-6):
            lines.append(f"| {total} | {rate:.0e} | {exact_false_alarm_rate(total, FAIR, rate):.2e} |")
    return lines


def measured(runs: int, judged: int, seed: int) -> str:
    """All tables, as Markdown."""
    dice = numpy.random.default_rng(seed)
    command = f"`python -m benchmarks.false_alarms --runs {runs} --judged {judged} --seed {seed}`"
    versions = f"numpy {numpy.__version__}, Python {sys.version_info.major}.{sys.version_info.minor}"
    parts = (
        [f"Measured with {command} ({versions}; the seed gives the same figures again)."],
        ["### False alarms of one test", "", *false_alarm_table(dice, runs)],
        ["### False alarms of a whole run", "", *run_table(dice, max(1, runs // 20))],
        ["### False alarms of the exact test", "", "Summed over all outcomes, not simulated.", "", *exact_table()],
        ["### Power", "", *power_table(dice, runs, judged)],
        ["### Verdicts", "", *verdict_table(dice, judged)],
    )
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=100_000_000)
    parser.add_argument("--judged", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=20261124)
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.name}")
    given = parser.parse_args()
    text = measured(given.runs, given.judged, given.seed)
    if given.write:
        old = PAGE.read_text()
        PAGE.write_text(re.sub(f"(?s){BEGIN}.*{END}", lambda _: f"{BEGIN}\n\n{text}\n{END}", old))
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
