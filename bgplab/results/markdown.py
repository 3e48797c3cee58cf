"""A run as Markdown, for CI summaries and Prefect artifacts. Text from outside is escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from bgplab.checks.finding import Verdict
from bgplab.results.history import Difference
from bgplab.results.record import CheckResult, ConvergenceResult, LoadTestResult, Run

MARK = {Verdict.HOLDS: "✅", Verdict.FAILS: "❌", Verdict.INCONCLUSIVE: "❔", Verdict.SKIPPED: "➖"}
ACTIVE = re.compile(r"([\\`*_{}\[\]()#+!|<>~&])")


def escaped(text: str) -> str:
    """Text that Markdown and HTML take for text, on one line."""
    return ACTIVE.sub(lambda found: f"&#{ord(found.group(1))};", " ".join(text.split()))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; cells are escaped here."""
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(escaped(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def checks_table(checks: Iterable[CheckResult]) -> str:
    rows = ((check.id, f"{MARK[check.verdict]} {check.verdict.value}", check.title, check.reason) for check in checks)
    return table(("id", "verdict", "claim", "seen"), rows)


def load_test_table(test: LoadTestResult) -> str:
    """Shares of one load test: nodes, then endpoints."""
    total = {kind: sum(share.observed for share in test.of_kind(kind)) for kind in ("node", "endpoint")}  # type: ignore[arg-type]
    rows = [
        (
            share.kind,
            share.name,
            str(share.observed),
            f"{share.observed / total[share.kind]:.1%}" if total[share.kind] else "–",
            "must be 0" if not share.may_answer else "–" if share.expected is None else f"{share.expected:.1%}",
            "–" if share.low is None or share.high is None else f"{share.low:.1%} … {share.high:.1%}",
        )
        for share in test.shares
    ]
    return table(("", "name", "connections", "share", "expected", "99 % interval"), rows)


def convergence_table(results: Iterable[ConvergenceResult]) -> str:
    """Events under traffic, in the order they were made."""
    rows = (
        (
            f"{MARK[result.verdict]} {result.title}",
            f"{result.lost} of {result.sent}",
            f"{result.outage_seconds:.2f} s" if result.lost else "–",
            "–" if result.recovery_seconds is None else f"{result.recovery_seconds:.2f} s",
            result.reason,
        )
        for result in results
    )
    return table(("event", "lost", "outage", "recovered after", "seen"), rows)


def markdown_summary(run: Run, changes: Sequence[Difference] = ()) -> str:
    """Verdict and the sentence that matters first; then what changed, what does not hold, load tests, all checks."""
    counts = ", ".join(f"{len(found)} {verdict.value}" for verdict in Verdict if (found := run.with_verdict(verdict)))
    parts = [
        f"# {MARK[run.verdict]} {escaped(run.flow)} on {escaped(run.lab)}: {run.verdict.value}",
        escaped(run.sentence),
        f"{counts or 'no checks'} · {run.seconds:.1f} s · run {escaped(run.run_id)}",
    ]
    if changes:
        parts += ["## Not as in the run before", "\n".join(f"- {escaped(str(change))}" for change in changes)]
    troubled = [*run.with_verdict(Verdict.FAILS), *run.with_verdict(Verdict.INCONCLUSIVE)]
    if troubled:
        parts += ["## What does not hold", checks_table(troubled)]
    for test in run.load_tests:
        hash_policy = "" if test.hash_policy is None else f", hash policy {test.hash_policy}"
        parts += [
            f"## {escaped(test.title)}",
            f"{MARK[test.verdict]} policy {escaped(test.policy)}{hash_policy}: {escaped(test.reason)}",
            load_test_table(test),
        ]
    parts += ["## Convergence under traffic", convergence_table(run.convergence)] if run.convergence else []
    parts += ["## All checks", checks_table(run.checks)] if run.checks else []
    if run.again:
        parts += ["Run this again: <code>" + escaped(run.again) + "</code>"]
    return "\n\n".join(parts) + "\n"
