"""Two runs side by side, as one page like the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from bgplab.results.record import CheckResult, ConvergenceResult, LoadTestResult, Run
from dashboards import aggregate
from dashboards.events import ShownEvent, shown_event
from dashboards.report import environment, stylesheet

Tested = TypeVar("Tested", LoadTestResult, ConvergenceResult)


@dataclass(frozen=True, slots=True)
class CheckPair:
    """One check in both runs; None where it was not judged."""

    id: str
    title: str
    before: CheckResult | None
    now: CheckResult | None

    @property
    def same(self) -> bool:
        both = self.before is not None and self.now is not None
        return both and self.before.verdict is self.now.verdict  # type: ignore[union-attr]


def pair_checks(before: Run, now: Run) -> list[CheckPair]:
    """In the newer run's order, then what only the older one had."""
    old, new = ({check.id: check for check in run.checks} for run in (before, now))
    return [
        CheckPair(id, (new.get(id) or old[id]).title, old.get(id), new.get(id))
        for id in (*new, *(id for id in old if id not in new))
    ]


def pair_by_name(before: Sequence[Tested], now: Sequence[Tested]) -> list[tuple[Tested | None, Tested | None]]:
    """In the newer run's order, then what only the older one had; None where a run has none of that name."""
    old: dict[str, Tested] = {test.name: test for test in before}
    new: dict[str, Tested] = {test.name: test for test in now}
    return [(old.get(name), new.get(name)) for name in (*new, *(name for name in old if name not in new))]


def differing(before: Run, now: Run) -> list[tuple[str, str, str]]:
    """Parameters and versions that are not the same: (name, before, now)."""
    rows = []
    for kind in ("parameters", "versions", "seeds"):
        old, new = getattr(before, kind), getattr(now, kind)
        names = dict.fromkeys((*new, *old))
        rows += [(name, str(old.get(name, "–")), str(new.get(name, "–"))) for name in names]
    return [row for row in rows if row[1] != row[2]]


def render_comparison(before: Run, now: Run) -> str:
    """The page: what differs first, then load tests and events side by side, then all checks."""
    before, now = before.settled(), now.settled()
    pairs = pair_checks(before, now)
    return (
        environment()
        .get_template("compare.html.j2")
        .render(
            css=stylesheet(),
            runs=(before, now),
            changed=[pair for pair in pairs if not pair.same],
            pairs=pairs,
            tests=pair_by_name(before.load_tests, now.load_tests),
            latencies=[{test.name: aggregate.latency(test) for test in run.load_tests} for run in (before, now)],
            happenings=[tuple(map(_shown, pair)) for pair in pair_by_name(before.convergence, now.convergence)],
            settings=differing(before, now),
        )
    )


def _shown(result: ConvergenceResult | None) -> ShownEvent | None:
    return None if result is None else shown_event(result)
