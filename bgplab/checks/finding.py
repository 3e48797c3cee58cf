"""What a check says: a verdict, its reason, the figures and the evidence it was drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Verdict(Enum):
    """Deliberately without a truth value: compare `verdict is Verdict.HOLDS`."""

    HOLDS = "holds"
    FAILS = "fails"
    INCONCLUSIVE = "inconclusive"
    SKIPPED = "skipped"

    def __bool__(self) -> bool:
        raise TypeError("a verdict has no truth value; compare it: `verdict is Verdict.HOLDS`")


@dataclass(frozen=True, slots=True)
class Finding:
    """figures: named numbers (units in the names). evidence: JSON-able, what was seen."""

    verdict: Verdict
    reason: str
    figures: Mapping[str, float | int | str | None] = field(default_factory=dict)
    evidence: Any = None


def holds(reason: str, evidence: Any = None, **figures: float | int | str | None) -> Finding:
    return Finding(Verdict.HOLDS, reason, figures, evidence)


def fails(reason: str, evidence: Any = None, **figures: float | int | str | None) -> Finding:
    return Finding(Verdict.FAILS, reason, figures, evidence)


def inconclusive(reason: str, evidence: Any = None, **figures: float | int | str | None) -> Finding:
    return Finding(Verdict.INCONCLUSIVE, reason, figures, evidence)


def skipped(reason: str) -> Finding:
    return Finding(Verdict.SKIPPED, reason)
