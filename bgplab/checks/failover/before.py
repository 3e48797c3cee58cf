"""Before all events (E01, E02): what must be so, or an event would be seen by luck or not at all."""

from __future__ import annotations

from bgplab.checks.base import hosts_answer_and_nodes_are_ready
from bgplab.checks.claims import difference, judged
from bgplab.checks.expected import Expected
from bgplab.checks.finding import Finding, fails
from bgplab.checks.registry import Explanation, check
from bgplab.observe.endpoint_slices import Endpoints
from bgplab.observe.frr_bgp import BgpSummaries
from bgplab.observe.hosts import HostsAnswering
from bgplab.observe.kernel_routes import RouterRoutes
from bgplab.observe.nodes import Nodes
from bgplab.observe.services import AppService
from bgplab.observe.sysctl import HashPolicies

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
        "Every session is established; every router's kernel sends the address to every node with a pod; its hash"
        " policy spreads one client's connections over them.",
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
    if service.service is None or service.service.vip is None or expected.vip_prefix is None:
        return fails(f"{expected.app.name} has no LoadBalancer address")
    serving = {entry.node for entry in endpoints.ready}
    due = {
        node.address
        for node in expected.bgp_nodes
        if service.service.external_traffic_policy == "Cluster" or node.name in serving
    }
    problems = []
    if len(due) < 2:
        problems.append(f"only {len(due)} node should announce {expected.vip}: nobody could take over")
    for router in expected.routers:
        summary, route = summaries.by_router[router.name], routes.by_router[router.name].to(expected.vip_prefix)
        up = {peer.address for peer in summary.peers if peer.state == "Established"}
        problems += difference(f"{router.name}: established sessions", up, expected.bgp_addresses)
        problems += difference(f"{router.name}: next hops to {expected.vip}", route.gateways if route else (), due)
        if policies.by_router[router.name] == 0:
            problems.append(f"{router.name}: hash policy 0 sends one client to one node")
    sessions = len(expected.bgp_addresses) * len(expected.routers)
    return judged(
        problems, f"{sessions} sessions established; {expected.vip} goes to {len(due)} nodes", next_hops=len(due)
    )
