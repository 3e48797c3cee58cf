"""An agent killed and back (E05, E06); all agents restarted and back (E07, E08)."""

from __future__ import annotations

from bgplab.checks.claims import listed
from bgplab.checks.expected import Expected
from bgplab.checks.failover.at_routers import PROBE, WATCH, event, way_back
from bgplab.checks.failover.told import AGENT_START_SECONDS, DIAL_SECONDS, LATE_SECONDS, QUICK_SECONDS, Told
from bgplab.checks.finding import Finding, inconclusive
from bgplab.checks.registry import Explanation
from bgplab.observe.traffic_events import AgentKilled, AgentsRestarted


def stale_seconds(expected: Expected) -> float:
    restart = expected.bgp.graceful_restart
    return float(restart.restart_seconds) if restart.enabled else 0.0


@event(
    "E05",
    AgentKilled,
    title="an agent killed: its routes stay for the restart time, and nothing is lost",
    explanation=Explanation(
        "The router keeps the dead speaker's path as stale, for the restart time and no longer; the node goes on"
        " serving all the while. When the path goes, connections fail for less than a second.",
        "Graceful restart (RFC 4724): forwarding does not depend on the agent, so its routes are worth keeping.",
        (WATCH, "ssh {router} sudo vtysh -c 'show bgp ipv4 unicast {vip}/32'"),
    ),
)
def an_agent_is_killed(told: Told, expected: Expected) -> Finding:
    stale = stale_seconds(expected)
    told.settles_within(stale + (LATE_SECONDS if stale else QUICK_SECONDS))
    left = told.settled_seconds
    if left is not None and left < stale:
        told.problem(f"the path left the kernel after {left:.2f} s, before the restart time of {stale:g} s was over")
    told.loses_nothing_before(left)
    told.loses_no_longer_than(QUICK_SECONDS)
    return told.finding(f"kept as stale for the restart time of {stale:g} s" if stale else "no graceful restart")


@way_back(
    "E06",
    AgentKilled,
    of="E05",
    title="the agent back: it dials and its node takes traffic again",
    explanation=Explanation(
        "The new agent dials 1-2 s after its start; its node is a next hop at once.",
        "A fresh speaker has no failed dial behind it, so no retry time to sit out.",
        (WATCH, "kubectl -n kube-system get pod -l k8s-app=cilium -o wide"),
    ),
)
def the_agent_is_back(told: Told, expected: Expected) -> Finding:
    told.sessions_within(AGENT_START_SECONDS + DIAL_SECONDS)
    told.settles()
    told.loses_no_longer_than(QUICK_SECONDS)
    return told.finding("an agent starts, then dials after 1-2 s")


@event(
    "E07",
    AgentsRestarted,
    title="all agents restarted: no connection is lost, no next hop leaves",
    explanation=Explanation(
        "All agents end and start again within the restart time: the router's route does not change, no connection"
        " fails.",
        "Graceful restart again: without it there would be no way to the address until the first agent had dialled.",
        ("kubectl -n kube-system delete pod -l k8s-app=cilium", WATCH, PROBE),
    ),
)
def all_agents_are_restarted(told: Told, expected: Expected) -> Finding:
    down = told.seen.said(told.phase, "session_down", told.phase.nodes)
    if missing := set(told.phase.nodes) - set(down):
        return inconclusive(f"FRR logged no end of the session of {listed(missing)}: were the agents restarted?")
    told.next_hops_never_left()
    told.loses_nothing()
    return told.finding(f"{len(down)} sessions ended and the route stayed")


@way_back(
    "E08",
    AgentsRestarted,
    of="E07",
    title="the agents back: sessions return within the restart time",
    explanation=Explanation(
        "Every session is established again, with its End-of-RIB, before the restart time is over; nothing is lost.",
        "The End-of-RIB tells the router that what is still stale may go: by then nothing is.",
        ("ssh {router} sudo vtysh -c 'show ip bgp summary'", "ssh {router} sudo journalctl -u frr | grep End-of-RIB"),
    ),
)
def the_agents_are_back(told: Told, expected: Expected) -> Finding:
    stale = stale_seconds(expected)
    told.sessions_return_within(stale or AGENT_START_SECONDS)
    told.next_hops_never_left()
    told.loses_nothing()
    return told.finding("an agent dials 1-2 s after its start")
