"""BGP between nodes and routers (G10–G14)."""

from __future__ import annotations

from ipaddress import IPv4Address

from bgplab.checks.claims import difference, judged, listed
from bgplab.checks.expected import Expected
from bgplab.checks.finding import Finding, inconclusive
from bgplab.checks.registry import Explanation, check
from bgplab.checks.sample_app import near_and_far, told
from bgplab.observe.bgp_node_configs import ClusterConfigs, NodeConfigs
from bgplab.observe.cilium_bgp import AgentPeers, AgentRoutes
from bgplab.observe.endpoint_slices import Endpoints
from bgplab.observe.frr_bgp import BgpSummaries, Neighbors
from bgplab.observe.frr_service import FrrLogs
from bgplab.observe.http import PodRequests
from bgplab.observe.kernel_routes import NodeRoutes, RouterRoutes
from bgplab.observe.nodes import Nodes

UNSPECIFIED = IPv4Address(0)


@check(
    "G10",
    title="nodes for BGP carry the label",
    needs=(Nodes,),
    explanation=Explanation(
        "The label that the cluster configuration selects is on the nodes that should speak BGP, and on no other.",
        "Cilium gives a BGP instance to nodes that match the cluster configuration's nodeSelector only.",
        ("kubectl get node -l {label}=true",),
    ),
)
def nodes_for_bgp_carry_the_label(seen: Nodes, expected: Expected) -> Finding:
    label, due = expected.bgp.node_label, {node.name for node in expected.bgp_nodes}
    problems = difference(f"nodes with {label}=true", seen.labelled(label), due)
    return judged(problems, f"{label}=true selects {listed(due)}", nodes=len(due))


@check(
    "G11",
    title="sessions are established with the negotiated timers",
    needs=(NodeConfigs, ClusterConfigs, AgentPeers, Neighbors, FrrLogs),
    patience_seconds=20,
    explanation=Explanation(
        "There is one CiliumBGPNodeConfig per labelled node; every node has a session with every router, Established on"
        " both sides with the smaller hold time of both; with graceful restart the router has received each node's"
        " End-of-RIB.",
        "The operator makes a node configuration from the cluster configuration, the agent dials 1–2 s later."
        " End-of-RIB (RFC 4724) says that a node has sent all it has; without graceful restart GoBGP sends none.",
        (
            "kubectl get ciliumbgpnodeconfigs",
            "cilium bgp peers",
            "ssh {router} sudo vtysh -c 'show bgp neighbors'",
            "ssh {router} sudo journalctl -u frr | grep End-of-RIB",
        ),
    ),
)
def sessions_are_established(
    configs: NodeConfigs,
    clusters: ClusterConfigs,
    agents: AgentPeers,
    neighbors: Neighbors,
    logs: FrrLogs,
    expected: Expected,
) -> Finding:
    names = {node.name for node in expected.bgp_nodes}
    problems = difference("node configurations", [config.name for config in configs.configs], names)
    problems += [f"{name}: {said}" for name, troubles in clusters.troubles.items() for said in troubles]
    routers = {router.addresses[0] for router in expected.routers}
    hold, keepalive, router_keepalive = negotiated(expected)
    for node in sorted(names):
        peers = agents.by_node.get(node, ())
        up = [peer.address for peer in peers if peer.state == "established"]
        problems += difference(f"{node}: established peers", up, routers)
        problems += [
            f"{node}: {peer.address} has hold {peer.hold_seconds} s, keepalive {peer.keepalive_seconds} s"
            for peer in peers
            if peer.address in up and (peer.hold_seconds, peer.keepalive_seconds) != (hold, keepalive)
        ]
    strangers = {node for node, peers in agents.by_node.items() if peers} - names
    problems += [f"{listed(strangers)} speaks BGP without the label"] if strangers else []
    for router in expected.routers:
        here = neighbors.by_router[router.name]
        up_here = [peer.address for peer in here if peer.state == "Established"]
        problems += difference(f"{router.name}: established neighbours", up_here, expected.bgp_addresses)
        problems += [
            f"{router.name}: {peer.address} has hold {peer.hold_seconds:g} s, keepalive {peer.keepalive_seconds:g} s"
            for peer in here
            if peer.address in up_here and (peer.hold_seconds, peer.keepalive_seconds) != (hold, router_keepalive)
        ]
        ended = {peer.address for peer in here if peer.end_of_rib} | logs.by_router[router.name].end_of_rib
        silent = expected.bgp_addresses - ended if expected.bgp.graceful_restart.enabled else set()
        problems += [f"{router.name}: no End-of-RIB from {listed(silent)}"] if silent else []
    count = len(names) * len(routers)
    return judged(
        problems,
        f"{count} sessions established, hold {hold} s, keepalive {keepalive} s",
        sessions=count,
        hold_seconds=hold,
        keepalive_seconds=keepalive,
    )


FRR_HOLD_SECONDS = 180  # bgpd's default, which the routers keep (facts/frr.md, 11)


def negotiated(expected: Expected) -> tuple[int, int, int]:
    """(hold, keepalive of the nodes, keepalive of the routers).

    The smaller hold time of both sides counts (RFC 4271, 4.2). GoBGP keeps its configured keepalive unless the other
    side's hold time is the smaller one; FRR without timers of its own, and GoBGP then, take a third of it.
    """
    timers = expected.bgp.timers
    hold = min(timers.hold_seconds, FRR_HOLD_SECONDS)
    return hold, timers.keepalive_seconds if hold == timers.hold_seconds else hold // 3, hold // 3


@check(
    "G12",
    title="nodes' view of BGP",
    needs=(AgentPeers, AgentRoutes, NodeConfigs),
    holds_from="G11",
    patience_seconds=20,
    explanation=Explanation(
        "`cilium bgp peers` shows every session with its AS numbers and the prefixes received; each node's own table"
        " has its pod CIDR with next hop 0.0.0.0; the node configuration's status says established.",
        "Received counts every path, also a node's own prefix that FRR sends back, so the guide's figure is 1 network +"
        " 3 pod CIDRs = 4. The status follows 2–6 s after the session.",
        ("cilium bgp peers", "cilium bgp routes available ipv4 unicast", "kubectl get ciliumbgpnodeconfigs -o yaml"),
    ),
)
def nodes_see_sessions_and_prefixes(
    agents: AgentPeers, routes: AgentRoutes, configs: NodeConfigs, expected: Expected
) -> Finding:
    due = {
        f"{router.addresses[0]} AS {expected.bgp.asn}/{router.asn} established,"
        f" received {expected.received_from(router)}"
        for router in expected.routers
    }
    problems = []
    status = {config.name: config for config in configs.configs}
    for node in expected.bgp_nodes:
        said = [
            f"{peer.address} AS {peer.local_asn}/{peer.peer_asn} {peer.state}, received {peer.received}"
            for peer in agents.by_node.get(node.name, ())
        ]
        problems += difference(f"{node.name}: peers", said, due)
        own = [f"{route.prefix} via {route.next_hop}" for route in routes.by_node.get(node.name, ())]
        mine = {f"{prefix} via {UNSPECIFIED}" for prefix in expected.prefixes_of(node)}
        problems += difference(f"{node.name}: own routes", own, mine)
        states = {str(peer.state) for peer in status[node.name].peers} if node.name in status else {"missing"}
        problems += (
            [] if states == {"established"} else [f"{node.name}: status of its node configuration: {listed(states)}"]
        )
    received = {router.name: expected.received_from(router) for router in expected.routers}
    told_ = ", ".join(f"{count} from {name}" for name, count in received.items())
    return judged(
        problems,
        f"{len(expected.bgp_nodes)} nodes: established, received {told_}, own prefixes with next hop 0.0.0.0",
        received=sum(received.values()),
    )


@check(
    "G13",
    title="router's view of BGP",
    needs=(BgpSummaries, RouterRoutes),
    holds_from="G11",
    patience_seconds=15,
    explanation=Explanation(
        "The router has every node Established with the prefixes it announces, and the kernel routes each node's pod"
        " CIDR to that node.",
        "This is what the sessions are for: the network learns where pods are.",
        ("ssh {router} sudo vtysh -c 'show ip bgp summary'", "ssh {router} ip route | grep bgp"),
    ),
)
def router_sees_pod_cidrs(seen: BgpSummaries, routes: RouterRoutes, expected: Expected) -> Finding:
    problems = []
    for router in expected.routers:
        peers = [f"{peer.address} {peer.state} {peer.prefixes}" for peer in seen.by_router[router.name].peers]
        due = [f"{node.address} Established {len(expected.prefixes_of(node))}" for node in expected.bgp_nodes]
        problems += difference(f"{router.name}: peers (address, state, prefixes)", peers, due)
        pods = [
            route
            for route in routes.by_router[router.name].of_protocol("bgp")
            if route.prefix.overlaps(expected.cluster.pod_cidr)
        ]
        problems += difference(
            f"{router.name}: kernel routes to pods",
            [f"{route.prefix} via {listed(route.gateways)}" for route in pods],
            [f"{node.pod_cidr} via {node.address}" for node in expected.bgp_nodes],
        )
        problems += wrong_interfaces(router.name, routes, expected)
    return judged(problems, f"{len(expected.bgp_nodes)} pod CIDRs in the kernel, each by its own node")


def wrong_interfaces(router: str, routes: RouterRoutes, expected: Expected) -> list[str]:
    """A next hop must leave by the interface of its own subnet, where the kernel has its connected route."""
    table = routes.by_router[router]
    problems = []
    for route in table.of_protocol("bgp"):
        for hop in route.next_hops:
            subnet = next((subnet.cidr for subnet in expected.spec.subnets if hop.via and hop.via in subnet.cidr), None)
            connected = table.to(subnet) if subnet else None
            right = connected.next_hops[0].device if connected else None
            if right and hop.device != right:
                problems.append(f"{router}: {route.prefix} via {hop.via} leaves by {hop.device}, not {right}")
    return problems


@check(
    "G14",
    title="learned routes are not injected into nodes",
    needs=(NodeRoutes, AgentPeers, PodRequests, Endpoints),
    holds_from="G11",
    until="G15",
    patience_seconds=20,
    stays=True,
    explanation=Explanation(
        "No node has a `proto bgp` route although the sessions are up, and pods of another subnet still time out.",
        "Cilium announces but installs nothing that it learns (its import policy rejects everything; cilium #31283).",
        ("ssh {node} ip route | grep bgp", "kubectl exec {client} -- curl -s --connect-timeout 1 {app}; echo $?"),
    ),
)
def learned_routes_are_not_injected(
    routes: NodeRoutes, agents: AgentPeers, requests: PodRequests, endpoints: Endpoints, expected: Expected
) -> Finding:
    early = [node.name for node in expected.bgp_nodes if not _has_received_all(agents, node.name, expected)]
    if early:
        return inconclusive(f"not converged: {listed(early)} has not received every prefix yet")
    problems = [
        f"{node} has {route.prefix} via {listed(route.gateways)} proto bgp"
        for node, table in routes.by_node.items()
        for route in table.of_protocol("bgp")
    ]
    problems += difference("nodes looked at", routes.by_node, [node.name for node in expected.nodes])
    _, far = near_and_far(endpoints, expected)
    problems += [
        f"{endpoint.pod} on {endpoint.node}: {told(request)}, expected a time-out"
        for endpoint in far
        if (request := requests.by_address.get(endpoint.address)) is None or not request.timed_out
    ]
    silent = f"; {listed(endpoint.pod for endpoint in far)} still time out" if far else ""
    return judged(problems, f"no `proto bgp` route on {len(routes.by_node)} nodes{silent}")


def _has_received_all(agents: AgentPeers, node: str, expected: Expected) -> bool:
    due = {(router.addresses[0], expected.received_from(router)) for router in expected.routers}
    return due <= {
        (peer.address, peer.received) for peer in agents.by_node.get(node, ()) if peer.state == "established"
    }
