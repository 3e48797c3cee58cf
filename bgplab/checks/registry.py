"""The one registry of checks. A check says what it must see, from which step on it holds, and until which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bgplab.checks.finding import Finding

CHECKS: dict[str, Check] = {}

Judgement = Callable[..., Finding]


@dataclass(frozen=True, slots=True)
class Explanation:
    """For `bgp-lab explain`. by_hand: commands with `{router}`, `{node}`, `{client}`, `{app}`, `{vip}` … to fill in."""

    observed: str
    why: str
    by_hand: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """A claim about a lab.

    needs: the observations' types, handed to `judge` in this order, the expectation last. holds_from: the step after
    which it must hold, one that leaves a trace in the world. until: the step that makes it pointless (None: it holds
    for good). patience_seconds: how long the world may be late; 0 for statistics, which are judged once or not at all.
    stays: something must *not* be there, so it has to hold over a window.
    """

    id: str
    title: str
    needs: tuple[type, ...]
    holds_from: str
    until: str | None
    patience_seconds: float
    stays: bool
    explanation: Explanation
    judge: Judgement


def check(
    id: str,
    *,
    title: str,
    needs: tuple[type, ...],
    explanation: Explanation,
    holds_from: str | None = None,
    until: str | None = None,
    patience_seconds: float = 10.0,
    stays: bool = False,
) -> Callable[[Judgement], Judgement]:
    """Register a function as the check of one guide row. A second check of the same id is an error at import."""

    def register(judge: Judgement) -> Judgement:
        if id in CHECKS:
            raise ValueError(f"two checks are called {id}: {CHECKS[id].judge.__name__} and {judge.__name__}")
        CHECKS[id] = Check(id, title, needs, holds_from or id, until, patience_seconds, stays, explanation, judge)
        return judge

    return register
