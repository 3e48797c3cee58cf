"""A claim about an event is judged at every router by itself; the event's check is what comes of all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Literal

from bgplab.checks.expected import Expected
from bgplab.checks.failover.told import Told
from bgplab.checks.finding import Finding, Verdict
from bgplab.checks.registry import Explanation, check
from bgplab.observe.traffic_events import UnderTraffic

WATCH = "ssh {router} sudo ip -ts monitor route"
PROBE = "bgp-lab probe http://{vip}/ --from {router} --rate 100 --duration 60"

#: What must be so at one router, of one phase.
Claim = Callable[[Told, Expected], Finding]


def event(id: str, kind: type[UnderTraffic], *, title: str, explanation: Explanation) -> Callable[[Claim], Claim]:
    """Register a claim as the check of an event."""
    return _judged_at_every_router(id, kind, "away", id, title, explanation)


def way_back(
    id: str, kind: type[UnderTraffic], *, of: str, title: str, explanation: Explanation
) -> Callable[[Claim], Claim]:
    """Register a claim as the check of an event's way back. of: the event's check."""
    return _judged_at_every_router(id, kind, "back", of, title, explanation)


def _judged_at_every_router(
    id: str,
    kind: type[UnderTraffic],
    phase: Literal["away", "back"],
    holds_from: str,
    title: str,
    explanation: Explanation,
) -> Callable[[Claim], Claim]:
    def register(claim: Claim) -> Claim:
        @wraps(claim)
        def judge(seen: UnderTraffic, expected: Expected) -> Finding:
            told = [Told(at, at.away if phase == "away" else at.back) for at in seen.at]
            return together({one.seen.router: _at_one(claim, one, expected) for one in told}, told[0].phase.did)

        check(id, title=title, needs=(kind,), holds_from=holds_from, patience_seconds=0, explanation=explanation)(judge)
        return claim

    return register


def _at_one(claim: Claim, told: Told, expected: Expected) -> Finding:
    if not told.phase.spared:
        return claim(told, expected)
    told.next_hops_never_left()
    told.loses_nothing()
    return told.finding("it was done at another router alone")


def together(findings: Mapping[str, Finding], did: str) -> Finding:
    """By router: the worst verdict, with what every router of that verdict says. One router's is as it stands."""
    if len(findings) == 1:
        return next(iter(findings.values()))
    verdicts = {finding.verdict for finding in findings.values()}
    worst = next(one for one in (Verdict.FAILS, Verdict.INCONCLUSIVE, Verdict.HOLDS) if one in verdicts)
    said = [
        f"{router}: {finding.reason.removeprefix(f'{did}: ')}"
        for router, finding in findings.items()
        if finding.verdict is worst
    ]
    figures = {f"{router}_{name}": value for router, found in findings.items() for name, value in found.figures.items()}
    return Finding(worst, f"{did}: {'; '.join(said)}", figures)
