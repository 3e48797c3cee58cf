"""Who announces, changed by hand: a session shut (E11), a label removed (E13), a route withdrawn (E15); and back."""

from __future__ import annotations

from bgplab.checks.claims import listed
from bgplab.checks.expected import Expected
from bgplab.checks.failover.at_routers import PROBE, WATCH, event, way_back
from bgplab.checks.failover.told import DIAL_SECONDS, IDLE_SECONDS, LATE_SECONDS, QUICK_SECONDS, Told
from bgplab.checks.finding import Finding
from bgplab.checks.registry import Explanation
from bgplab.observe.traffic_events import LabelRemoved, RouteWithdrawn, SessionShut


@event(
    "E11",
    SessionShut,
    title="a session shut on the router: its route goes within a second",
    explanation=Explanation(
        "A neighbour that is shut is no next hop a second later; connections fail no longer than that. It is shut at"
        " the first router; with several, the others' routes stay as they are and none of their connections fails.",
        "The router itself ends the session, so there is nothing to wait for, and no graceful restart.",
        ("ssh {router} sudo vtysh -c 'configure terminal' -c 'router bgp' -c 'neighbor ADDRESS shutdown'", WATCH),
    ),
)
def a_session_is_shut(told: Told, expected: Expected) -> Finding:
    told.settles_within(QUICK_SECONDS)
    told.loses_no_longer_than(QUICK_SECONDS)
    return told.finding(f"the session of {listed(told.phase.nodes)} ended at the router's word")


@way_back(
    "E12",
    SessionShut,
    of="E11",
    title="the session opened: the node dials after its idle time",
    explanation=Explanation(
        f"The node's speaker idles {IDLE_SECONDS:g} s after a reset and dials 1-2 s later; a shut router answers and"
        " hangs up, so that begins again each time. Then its node takes traffic; less than a second is lost.",
        "Its dials were not refused by the network, so there is no connect-retry time to sit out.",
        ("ssh {router} sudo vtysh -c 'show ip bgp summary'", WATCH),
    ),
)
def a_session_is_open(told: Told, expected: Expected) -> Finding:
    told.sessions_within(IDLE_SECONDS + DIAL_SECONDS + LATE_SECONDS)
    told.settles()
    told.loses_no_longer_than(QUICK_SECONDS)
    return told.finding(f"a speaker idles {IDLE_SECONDS:g} s after a reset, then dials after 1-2 s")


@event(
    "E13",
    LabelRemoved,
    title="a node's label removed: its routes go within a second",
    explanation=Explanation(
        "The node's BGP instance ends its session with a Cease and its routes go at once, graceful restart or not;"
        " connections fail for less than a second.",
        "Taking an instance away is no restart: Cilium ends it with Cease/Hard Reset (RFC 8538).",
        ("kubectl label node {node} {label}-", WATCH),
    ),
)
def a_label_is_removed(told: Told, expected: Expected) -> Finding:
    told.settles_within(QUICK_SECONDS)
    told.loses_no_longer_than(QUICK_SECONDS)
    return told.finding(f"{listed(told.phase.nodes)} ended its session with a Cease")


@way_back(
    "E14",
    LabelRemoved,
    of="E13",
    title="the label set: a new speaker dials",
    explanation=Explanation(
        "A new instance dials 1-2 s after its start; its node takes traffic; less than a second is lost.",
        "A fresh speaker has no failed dial behind it.",
        ("kubectl label node {node} {label}=true", WATCH),
    ),
)
def a_label_is_set(told: Told, expected: Expected) -> Finding:
    told.sessions_within(DIAL_SECONDS + LATE_SECONDS)
    told.settles()
    told.loses_no_longer_than(QUICK_SECONDS)
    return told.finding("a new speaker dials after 1-2 s")


@event(
    "E15",
    RouteWithdrawn,
    title="the route withdrawn: gone within a second, and every connection fails",
    explanation=Explanation(
        "With its advertisement deleted the address leaves the router's kernel within a second; from then on no"
        " connection succeeds.",
        "All nodes withdraw; the address is in no connected network, so without a route there is no way to it.",
        ("kubectl delete ciliumbgpadvertisement bgp-advertisements-lb-exip-{app}", WATCH),
    ),
)
def a_route_is_withdrawn(told: Told, expected: Expected) -> Finding:
    told.settles_within(QUICK_SECONDS)
    told.nothing_succeeds_after(told.settled_seconds)
    return told.finding("all nodes withdrew; sessions stay, so neither hold nor restart time matters", outage=False)


@way_back(
    "E16",
    RouteWithdrawn,
    of="E15",
    title="the route advertised again: back within a second",
    explanation=Explanation(
        "The advertisement applied again, the address is in the router's kernel within a second, and connections"
        " succeed.",
        "The sessions never ended: an UPDATE is all it takes.",
        ("ssh {router} ip route show {vip}", PROBE),
    ),
)
def a_route_is_advertised_again(told: Told, expected: Expected) -> Finding:
    told.settles_within(QUICK_SECONDS)
    told.recovers_within(QUICK_SECONDS)
    return told.finding("sessions had stayed: an UPDATE is all it takes")
