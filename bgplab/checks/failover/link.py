"""A node's link down behind a switch (E09) and up (E10)."""

from __future__ import annotations

from bgplab.checks.expected import Expected
from bgplab.checks.failover.agents import stale_seconds
from bgplab.checks.failover.at_routers import PROBE, WATCH, event, way_back
from bgplab.checks.failover.told import AGENT_START_SECONDS, DIAL_SECONDS, LATE_SECONDS, QUICK_SECONDS, Told
from bgplab.checks.finding import Finding, inconclusive
from bgplab.checks.registry import Explanation
from bgplab.observe.traffic_events import LinkDown


@event(
    "E09",
    LinkDown,
    title="a link down behind a switch: hold time and restart time, then others take over",
    explanation=Explanation(
        "The node's share of connections fails until the router's hold timer and the restart time have run out; then"
        " none fails.",
        "The router's own link stays up, so only the hold timer tells; and graceful restart, meant for agents that come"
        " back, keeps the dead node's route on top of that.",
        ("ssh {node} sudo ip link set dev eth1 down", WATCH, PROBE),
    ),
)
def a_link_is_down(told: Told, expected: Expected) -> Finding:
    hold, stale = expected.bgp.timers.hold_seconds, stale_seconds(expected)
    if not told.lost:
        return inconclusive(f"{told.phase.did}, and no connection failed: did the node have a share of the traffic?")
    told.settles_within(hold + stale + LATE_SECONDS)
    told.loses_no_longer_than(hold + stale + LATE_SECONDS)
    restart = f" + restart {stale:g} s" if stale else ""
    return told.finding(f"hold {hold} s{restart} = {hold + stale:g} s at most")


@way_back(
    "E10",
    LinkDown,
    of="E09",
    title="the link up: the session comes back with the next dial",
    explanation=Explanation(
        "The node's speaker has dialled in vain while the link was down; it dials again once its connect-retry time has"
        " passed, or at once when its agent is restarted. Then its node takes traffic; less than a second is lost.",
        "GoBGP waits connect-retry to twice that after a dial that failed; the guide leaves it at 120 s.",
        ("ssh {node} sudo ip link set dev eth1 up", "kubectl -n kube-system delete pod CILIUM-POD-OF-THE-NODE"),
    ),
)
def a_link_is_up(told: Told, expected: Expected) -> Finding:
    retry = expected.bgp.timers.connect_retry_seconds
    if told.phase.noted_ns is None:
        told.sessions_within(3 * retry + DIAL_SECONDS)  # a dial that is under way is given up after one retry time
        why = f"a dial that failed while the link was down waits for its retry, {retry} to {2 * retry} s after it"
    else:
        waited = (told.phase.noted_ns - told.phase.at_ns) / 1e9
        told.sessions_within(waited + AGENT_START_SECONDS + DIAL_SECONDS)
        why = (
            f"its speaker had dialled in vain and would have waited for its retry, {retry} to {2 * retry} s;"
            f" {told.phase.note} after {waited:.1f} s, and the new one dialled after 1-2 s"
        )
    told.settles()
    told.loses_no_longer_than(QUICK_SECONDS)
    return told.finding(why)
