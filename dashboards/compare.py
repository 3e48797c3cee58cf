"""Two runs side by side, as one page like the report."""

from __future__ import annotations

from dataclasses import dataclass

from bgplab.results.record import CheckResult, LoadTestResult, Run
from dashboards.report import environment, stylesheet


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


def pair_load_tests(before: Run, now: Run) -> list[tuple[LoadTestResult | None, LoadTestResult | None]]:
    old, new = ({test.name: test for test in run.load_tests} for run in (before, now))
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
    """The page: what differs first, then load tests side by side, then all checks."""
    pairs = pair_checks(before, now)
    return (
        environment()
        .get_template("compare.html.j2")
        .render(
            css=stylesheet(),
            runs=(before, now),
            changed=[pair for pair in pairs if not pair.same],
            pairs=pairs,
            tests=pair_load_tests(before, now),
            settings=differing(before, now),
        )
    )
