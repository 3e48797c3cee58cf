"""A pod scaled away (E03) and back (E04)."""

from __future__ import annotations

from bgplab.checks.claims import listed
from bgplab.checks.expected import Expected
from bgplab.checks.failover.at_routers import PROBE, WATCH, event, way_back
from bgplab.checks.failover.told import QUICK_SECONDS, Told
from bgplab.checks.finding import Finding, inconclusive
from bgplab.checks.registry import Explanation
from bgplab.observe.traffic_events import PodScaledAway


@event(
    "E03",
    PodScaledAway,
    title="a pod scaled away: its node withdraws within a second",
    explanation=Explanation(
        "With policy Local the node that lost its pod is no next hop a second later; connections fail no longer than"
        " that.",
        "The pod's end and the withdrawal start from the same event; between them the node gets what it cannot serve.",
        ("kubectl scale deployment {app} --replicas {fewer}", WATCH, PROBE),
    ),
)
def a_pod_scaled_away(told: Told, expected: Expected) -> Finding:
    if told.phase.due == told.seen.before:
        return inconclusive(f"{told.phase.did}: no node lost its only pod, so nobody had to withdraw")
    told.settles_within(QUICK_SECONDS)
    told.loses_no_longer_than(QUICK_SECONDS)
    return told.finding(f"{listed(told.phase.nodes)} withdrew")


@way_back(
    "E04",
    PodScaledAway,
    of="E03",
    title="the pod back: its node announces again and nothing is lost for a second",
    explanation=Explanation(
        "Once the new pod is ready its node announces; connections fail for a second at most.",
        "Only a ready pod is announced. A new next hop moves flows that are open just then.",
        ("kubectl scale deployment {app} --replicas {replicas}", WATCH),
    ),
)
def the_pod_is_back(told: Told, expected: Expected) -> Finding:
    told.settles()
    told.loses_no_longer_than(QUICK_SECONDS)
    return told.finding("recovery took as long as the pod took to become ready")


def stale_seconds(expected: Expected) -> float:
    restart = expected.bgp.graceful_restart
    return float(restart.restart_seconds) if restart.enabled else 0.0
