"""Events under steady traffic and the ways back (E01–E16): what they may cost follows from the description's timers."""

from __future__ import annotations

from bgplab.checks.base import hosts_answer_and_nodes_are_ready
from bgplab.checks.claims import difference, listed
from bgplab.checks.expected import Expected
from bgplab.checks.failover_claims import (
    AGENT_START_SECONDS,
    DIAL_SECONDS,
    IDLE_SECONDS,
    LATE_SECONDS,
    QUICK_SECONDS,
    Told,
)
from bgplab.checks.finding import Finding, fails, holds, inconclusive
from bgplab.checks.registry import Explanation, check
from bgplab.observe.endpoint_slices import Endpoints
from bgplab.observe.frr_bgp import BgpSummaries
from bgplab.observe.hosts import HostsAnswering
from bgplab.observe.kernel_routes import RouterRoutes
from bgplab.observe.nodes import Nodes
from bgplab.observe.services import AppService
from bgplab.observe.sysctl import HashPolicies
from bgplab.observe.traffic_events import (
    AgentKilled,
    AgentsRestarted,
    LabelRemoved,
    LinkDown,
    PodScaledAway,
    RouteWithdrawn,
    SessionShut,
)

_WATCH = "ssh {router} sudo ip -ts monitor route"
_PROBE = "bgp-lab probe http://{vip}/ --from {router} --rate 100 --duration 60"

check(
    "E01",
    title="hosts answer and nodes are Ready",
    needs=(HostsAnswering, Nodes),
    patience_seconds=30,
    explanation=Explanation(
        "Every host answers over SSH under its own name; every node is Ready with its address and pod CIDR.",
        "Events are made and watched through these: shells on the hosts, and the Kubernetes API.",
        ("ssh {router} hostname", "kubectl get node -o wide"),
    ),
)(hosts_answer_and_nodes_are_ready)


@check(
    "E02",
    title="several nodes share the address's traffic",
    needs=(AppService, Endpoints, BgpSummaries, RouterRoutes, HashPolicies),
    patience_seconds=30,
    explanation=Explanation(
        "Every session is established; the router's kernel sends the address to every node with a pod; its hash policy"
        " spreads one client's connections over them.",
        "An event at one node is seen in traffic only if that node has a part of it, and survived only if others have.",
        ("ssh {router} sudo vtysh -c 'show ip bgp summary'", "ssh {router} ip route show {vip}"),
    ),
)
def several_nodes_share_the_traffic(
    service: AppService,
    endpoints: Endpoints,
    summaries: BgpSummaries,
    routes: RouterRoutes,
    policies: HashPolicies,
    expected: Expected,
) -> Finding:
    router = expected.routers[0]
    if service.service is None or service.service.vip is None or expected.vip_prefix is None:
        return fails(f"{expected.app.name} has no LoadBalancer address")
    up = {peer.address for peer in summaries.by_router[router.name].peers if peer.state == "Established"}
    serving = {entry.node for entry in endpoints.ready}
    due = {
        node.address
        for node in expected.bgp_nodes
        if service.service.external_traffic_policy == "Cluster" or node.name in serving
    }
    route = routes.by_router[router.name].to(expected.vip_prefix)
    hops = set(route.gateways) if route else set()
    problems = difference(f"{router.name}: established sessions", up, expected.bgp_addresses)
    problems += difference(f"{router.name}: next hops to {expected.vip}", hops, due)
    if len(due) < 2:
        problems.append(f"only {len(due)} node should announce {expected.vip}: nobody could take over")
    if policies.by_router[router.name] == 0:
        problems.append(f"{router.name}: hash policy 0 sends one client to one node")
    if problems:
        return fails("; ".join(problems))
    return holds(f"{len(up)} sessions established; {expected.vip} goes to {len(hops)} nodes", next_hops=len(hops))


# pod scaled away -----------------------------------------------------------------------------------------------------


@check(
    "E03",
    title="a pod scaled away: its node withdraws within a second",
    needs=(PodScaledAway,),
    patience_seconds=0,
    explanation=Explanation(
        "With policy Local the node that lost its pod is no next hop a second later; connections fail no longer than"
        " that.",
        "The pod's end and the withdrawal start from the same event; between them the node gets what it cannot serve.",
        ("kubectl scale deployment {app} --replicas 2", _WATCH, _PROBE),
    ),
)
def a_pod_scaled_away(seen: PodScaledAway, expected: Expected) -> Finding:
    told = Told(seen, seen.away)
    if seen.away.due == seen.before:
        return inconclusive(f"{seen.away.did}: no node lost its only pod, so nobody had to withdraw")
    told.settles_within(QUICK_SECONDS)
    told.loses_no_longer_than(QUICK_SECONDS)
    return told.finding(f"{listed(seen.away.nodes)} withdrew")


@check(
    "E04",
    title="the pod back: its node announces again and nothing is lost for a second",
    needs=(PodScaledAway,),
    holds_from="E03",
    patience_seconds=0,
    explanation=Explanation(
        "Once the new pod is ready its node announces; connections fail for a second at most.",
        "Only a ready pod is announced. A new next hop moves flows that are open just then.",
        ("kubectl scale deployment {app} --replicas 3", _WATCH),
    ),
)
def the_pod_is_back(seen: PodScaledAway, expected: Expected) -> Finding:
    told = Told(seen, seen.back)
    told.settles()
    told.loses_no_longer_than(QUICK_SECONDS)
    return told.finding("recovery took as long as the pod took to become ready")


# agent killed --------------------------------------------------------------------------------------------------------


def _stale_seconds(expected: Expected) -> float:
    restart = expected.bgp.graceful_restart
    return float(restart.restart_seconds) if restart.enabled else 0.0


@check(
    "E05",
    title="an agent killed: its routes stay for the restart time, and nothing is lost",
    needs=(AgentKilled,),
    patience_seconds=0,
    explanation=Explanation(
        "The router keeps the dead speaker's path as stale, for the restart time and no longer; the node goes on"
        " serving all the while. When the path goes, connections fail for less than a second.",
        "Graceful restart (RFC 4724): forwarding does not depend on the agent, so its routes are worth keeping.",
        (_WATCH, "ssh {router} sudo vtysh -c 'show bgp ipv4 unicast {vip}/32'"),
    ),
)
def an_agent_is_killed(seen: AgentKilled, expected: Expected) -> Finding:
    told, stale = Told(seen, seen.away), _stale_seconds(expected)
    told.settles_within(stale + (LATE_SECONDS if stale else QUICK_SECONDS))
    left = told.settled_seconds
    if left is not None and left < stale:
        told.problem(f"the path left the kernel after {left:.2f} s, before the restart time of {stale:g} s was over")
    told.loses_nothing_before(left)
    told.loses_no_longer_than(QUICK_SECONDS)
    return told.finding(f"kept as stale for the restart time of {stale:g} s" if stale else "no graceful restart")


@check(
    "E06",
    title="the agent back: it dials and its node takes traffic again",
    needs=(AgentKilled,),
    holds_from="E05",
    patience_seconds=0,
    explanation=Explanation(
        "The new agent dials 1-2 s after its start; its node is a next hop at once.",
        "A fresh speaker has no failed dial behind it, so no retry time to sit out.",
        (_WATCH, "kubectl -n kube-system get pod -l k8s-app=cilium -o wide"),
    ),
)
def the_agent_is_back(seen: AgentKilled, expected: Expected) -> Finding:
    told = Told(seen, seen.back)
    told.sessions_within(AGENT_START_SECONDS + DIAL_SECONDS)
    told.settles()
    told.loses_no_longer_than(QUICK_SECONDS)
    return told.finding("an agent starts, then dials after 1-2 s")


# agents restarted ----------------------------------------------------------------------------------------------------


@check(
    "E07",
    title="all agents restarted: no connection is lost, no next hop leaves",
    needs=(AgentsRestarted,),
    patience_seconds=0,
    explanation=Explanation(
        "All agents end and start again within the restart time: the router's route does not change, no connection"
        " fails.",
        "Graceful restart again: without it there would be no way to the address until the first agent had dialled.",
        ("kubectl -n kube-system delete pod -l k8s-app=cilium", _WATCH, _PROBE),
    ),
)
def all_agents_are_restarted(seen: AgentsRestarted, expected: Expected) -> Finding:
    told = Told(seen, seen.away)
    down = seen.said(seen.away, "session_down", seen.away.nodes)
    if missing := set(seen.away.nodes) - set(down):
        return inconclusive(f"FRR logged no end of the session of {listed(missing)}: were the agents restarted?")
    told.next_hops_never_left()
    told.loses_nothing()
    return told.finding(f"{len(down)} sessions ended and the route stayed")


@check(
    "E08",
    title="the agents back: sessions return within the restart time",
    needs=(AgentsRestarted,),
    holds_from="E07",
    patience_seconds=0,
    explanation=Explanation(
        "Every session is established again, with its End-of-RIB, before the restart time is over; nothing is lost.",
        "The End-of-RIB tells the router that what is still stale may go: by then nothing is.",
        ("ssh {router} sudo vtysh -c 'show ip bgp summary'", "ssh {router} sudo journalctl -u frr | grep End-of-RIB"),
    ),
)
def the_agents_are_back(seen: AgentsRestarted, expected: Expected) -> Finding:
    told, stale = Told(seen, seen.back), _stale_seconds(expected)
    told.sessions_return_within(stale or AGENT_START_SECONDS)
    told.next_hops_never_left()
    told.loses_nothing()
    return told.finding("an agent dials 1-2 s after its start")


# link down -----------------------------------------------------------------------------------------------------------


@check(
    "E09",
    title="a link down behind a switch: hold time and restart time, then others take over",
    needs=(LinkDown,),
    patience_seconds=0,
    explanation=Explanation(
        "The node's share of connections fails until the router's hold timer and the restart time have run out; then"
        " none fails.",
        "The router's own link stays up, so only the hold timer tells; and graceful restart, meant for agents that come"
        " back, keeps the dead node's route on top of that.",
        ("ssh {node} sudo ip link set dev eth1 down", _WATCH, _PROBE),
    ),
)
def a_link_is_down(seen: LinkDown, expected: Expected) -> Finding:
    hold, stale = expected.bgp.timers.hold_seconds, _stale_seconds(expected)
    told = Told(seen, seen.away)
    if not told.lost:
        return inconclusive(f"{seen.away.did}, and no connection failed: did the node have a share of the traffic?")
    told.settles_within(hold + stale + LATE_SECONDS)
    told.loses_no_longer_than(hold + stale + LATE_SECONDS)
    restart = f" + restart {stale:g} s" if stale else ""
    return told.finding(f"hold {hold} s{restart} = {hold + stale:g} s at most")


@check(
    "E10",
    title="the link up: the session comes back with the next dial",
    needs=(LinkDown,),
    holds_from="E09",
    patience_seconds=0,
    explanation=Explanation(
        "The node's speaker has dialled in vain while the link was down; it dials again once its connect-retry time has"
        " passed, or at once when its agent is restarted. Then its node takes traffic; less than a second is lost.",
        "GoBGP waits connect-retry to twice that after a dial that failed; the guide leaves it at 120 s.",
        ("ssh {node} sudo ip link set dev eth1 up", "kubectl -n kube-system delete pod CILIUM-POD-OF-THE-NODE"),
    ),
)
def a_link_is_up(seen: LinkDown, expected: Expected) -> Finding:
    told, retry = Told(seen, seen.back), expected.bgp.timers.connect_retry_seconds
    if seen.back.noted_ns is None:
        told.sessions_within(3 * retry + DIAL_SECONDS)  # a dial that is under way is given up after one retry time
        why = f"a dial that failed while the link was down waits for its retry, {retry} to {2 * retry} s after it"
    else:
        waited = (seen.back.noted_ns - seen.back.at_ns) / 1e9
        told.sessions_within(waited + AGENT_START_SECONDS + DIAL_SECONDS)
        why = (
            f"its speaker had dialled in vain and would have waited for its retry, {retry} to {2 * retry} s;"
            f" {seen.back.note} after {waited:.1f} s, and the new one dialled after 1-2 s"
        )
    told.settles()
    told.loses_no_longer_than(QUICK_SECONDS)
    return told.finding(why)


# session shut --------------------------------------------------------------------------------------------------------


@check(
    "E11",
    title="a session shut on the router: its route goes within a second",
    needs=(SessionShut,),
    patience_seconds=0,
    explanation=Explanation(
        "A neighbour that is shut is no next hop a second later; connections fail no longer than that.",
        "The router itself ends the session, so there is nothing to wait for, and no graceful restart.",
        ("ssh {router} sudo vtysh -c 'configure terminal' -c 'router bgp' -c 'neighbor ADDRESS shutdown'", _WATCH),
    ),
)
def a_session_is_shut(seen: SessionShut, expected: Expected) -> Finding:
    told = Told(seen, seen.away)
    told.settles_within(QUICK_SECONDS)
    told.loses_no_longer_than(QUICK_SECONDS)
    return told.finding(f"the session of {listed(seen.away.nodes)} ended at the router's word")


@check(
    "E12",
    title="the session opened: the node dials after its idle time",
    needs=(SessionShut,),
    holds_from="E11",
    patience_seconds=0,
    explanation=Explanation(
        f"The node's speaker idles {IDLE_SECONDS:g} s after a reset and dials 1-2 s later; a shut router answers and"
        " hangs up, so that begins again each time. Then its node takes traffic; less than a second is lost.",
        "Its dials were not refused by the network, so there is no connect-retry time to sit out.",
        ("ssh {router} sudo vtysh -c 'show ip bgp summary'", _WATCH),
    ),
)
def a_session_is_open(seen: SessionShut, expected: Expected) -> Finding:
    told = Told(seen, seen.back)
    told.sessions_within(IDLE_SECONDS + DIAL_SECONDS + LATE_SECONDS)
    told.settles()
    told.loses_no_longer_than(QUICK_SECONDS)
    return told.finding(f"a speaker idles {IDLE_SECONDS:g} s after a reset, then dials after 1-2 s")


# label removed -------------------------------------------------------------------------------------------------------


@check(
    "E13",
    title="a node's label removed: its routes go within a second",
    needs=(LabelRemoved,),
    patience_seconds=0,
    explanation=Explanation(
        "The node's BGP instance ends its session with a Cease and its routes go at once, graceful restart or not;"
        " connections fail for less than a second.",
        "Taking an instance away is no restart: Cilium ends it with Cease/Hard Reset (RFC 8538).",
        ("kubectl label node {node} {label}-", _WATCH),
    ),
)
def a_label_is_removed(seen: LabelRemoved, expected: Expected) -> Finding:
    told = Told(seen, seen.away)
    told.settles_within(QUICK_SECONDS)
    told.loses_no_longer_than(QUICK_SECONDS)
    return told.finding(f"{listed(seen.away.nodes)} ended its session with a Cease")


@check(
    "E14",
    title="the label set: a new speaker dials",
    needs=(LabelRemoved,),
    holds_from="E13",
    patience_seconds=0,
    explanation=Explanation(
        "A new instance dials 1-2 s after its start; its node takes traffic; less than a second is lost.",
        "A fresh speaker has no failed dial behind it.",
        ("kubectl label node {node} {label}=true", _WATCH),
    ),
)
def a_label_is_set(seen: LabelRemoved, expected: Expected) -> Finding:
    told = Told(seen, seen.back)
    told.sessions_within(DIAL_SECONDS + LATE_SECONDS)
    told.settles()
    told.loses_no_longer_than(QUICK_SECONDS)
    return told.finding("a new speaker dials after 1-2 s")


# route withdrawn -----------------------------------------------------------------------------------------------------


@check(
    "E15",
    title="the route withdrawn: gone within a second, and every connection fails",
    needs=(RouteWithdrawn,),
    patience_seconds=0,
    explanation=Explanation(
        "With its advertisement deleted the address leaves the router's kernel within a second; from then on no"
        " connection succeeds.",
        "All nodes withdraw; the address is in no connected network, so without a route there is no way to it.",
        ("kubectl delete ciliumbgpadvertisement bgp-advertisements-lb-exip-{app}", _WATCH),
    ),
)
def a_route_is_withdrawn(seen: RouteWithdrawn, expected: Expected) -> Finding:
    told = Told(seen, seen.away)
    told.settles_within(QUICK_SECONDS)
    told.nothing_succeeds_after(told.settled_seconds)
    return told.finding("all nodes withdrew; sessions stay, so neither hold nor restart time matters", outage=False)


@check(
    "E16",
    title="the route advertised again: back within a second",
    needs=(RouteWithdrawn,),
    holds_from="E15",
    patience_seconds=0,
    explanation=Explanation(
        "The advertisement applied again, the address is in the router's kernel within a second, and connections"
        " succeed.",
        "The sessions never ended: an UPDATE is all it takes.",
        ("ssh {router} ip route show {vip}", _PROBE),
    ),
)
def a_route_is_advertised_again(seen: RouteWithdrawn, expected: Expected) -> Finding:
    told = Told(seen, seen.back)
    told.settles_within(QUICK_SECONDS)
    told.recovers_within(QUICK_SECONDS)
    return told.finding("sessions had stayed: an UPDATE is all it takes")
