"""Putting several claims into one finding: a check names everything that is wrong, not only the first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from bgplab.checks.finding import Finding, fails, holds


def judged(problems: Sequence[str], so: str, evidence: Any = None, **figures: float | int | str | None) -> Finding:
    """Holds with the reason `so` when there is no problem; fails with all of them otherwise."""
    if problems:
        return fails("; ".join(problems), evidence, **figures)
    return holds(so, evidence, **figures)


def difference(what: str, seen: Iterable[object], expected: Iterable[object]) -> list[str]:
    """Compare whole sets: what is missing, and what is there that should not be. Empty when they are equal."""
    here, due = {str(item) for item in seen}, {str(item) for item in expected}
    told = []
    if due - here:
        told.append(f"missing {listed(due - here)}")
    if here - due:
        told.append(f"unexpected {listed(here - due)}")
    return [f"{what}: {', '.join(told)}"] if told else []


def listed(items: Iterable[object]) -> str:
    return ", ".join(sorted(str(item) for item in items)) or "none"
