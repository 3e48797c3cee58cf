"""A Service with an address of its own, and the way to it (G18–G23)."""

from __future__ import annotations

from bgplab.checks.claims import difference, judged, listed
from bgplab.checks.expected import Expected
from bgplab.checks.finding import Finding, inconclusive
from bgplab.checks.registry import Explanation, check
from bgplab.checks.sample_app import answered_by, told
from bgplab.observe.cilium_bgp import RoutePolicies
from bgplab.observe.endpoint_slices import Endpoints
from bgplab.observe.frr_bgp import BgpTables
from bgplab.observe.http import VipRequests
from bgplab.observe.kernel_routes import RouterRoutes
from bgplab.observe.lb_pools import Pools
from bgplab.observe.services import AppService
from bgplab.spec import derived


@check(
    "G18",
    title="address pool is usable",
    needs=(Pools,),
    explanation=Explanation(
        "The pool is neither disabled nor conflicting, and has as many addresses as its block holds, less the first and"
        " last where these are kept back; what Services hold is taken off.",
        "Two overlapping pools conflict, and the newer one hands out nothing.",
        ("kubectl get ippool",),
    ),
)
def address_pool_is_usable(seen: Pools, expected: Expected) -> Finding:
    due = expected.cluster.pool
    pool = seen.named(due.name)
    if not pool:
        return judged([f"there is no pool {due.name} (there is {listed(pool.name for pool in seen.pools)})"], "")
    problems = difference(f"{due.name}: blocks", pool.blocks, [due.cidr])
    problems += [f"{due.name} is disabled"] if pool.disabled else []
    problems += [f"{due.name} conflicts: {pool.conflict}"] if pool.conflict else []
    if pool.allow_first_last != due.allow_first_last:
        problems.append(f"{due.name}: first and last address are{'' if pool.allow_first_last else ' not'} handed out")
    usable = derived.usable_addresses(due)
    held = 1 if expected.vip and expected.vip in due.cidr else 0
    if pool.available is None:
        problems.append(f"{due.name}: the number of available addresses is not written yet")
    elif not expected.reached("G19") and not expected.cluster.workloads and pool.available != usable:
        problems.append(f"{due.name}: {pool.available} addresses available, expected {usable}")
    elif pool.available > usable - held:
        problems.append(f"{due.name}: {pool.available} addresses available, expected at most {usable - held}")
    return judged(problems, f"{due.name}: {pool.available} of {usable} addresses available", available=pool.available)


@check(
    "G19",
    title="Service has an address from the pool",
    needs=(AppService, Pools),
    explanation=Explanation(
        "The Service is of type LoadBalancer and has an address of the pool, the first free one; the pool counts it.",
        "LB-IPAM, in Cilium's operator, answers every Service of type LoadBalancer once a pool exists.",
        ("kubectl get svc {app}", "kubectl get ippool"),
    ),
)
def service_has_an_address(seen: AppService, pools: Pools, expected: Expected) -> Finding:
    due, service = expected.cluster.pool, seen.service
    if not service or service.type != "LoadBalancer":
        return judged(
            [f"Service {expected.app.name} is {service.type if service else 'missing'}, not LoadBalancer"], ""
        )
    if not service.vip:
        return judged([f"Service {service.name} has no address yet (LB-IPAM says {service.satisfied})"], "")
    problems = []
    if service.vip not in due.cidr:
        problems.append(f"{service.vip} is not of the pool {due.cidr}")
    elif not expected.cluster.workloads and service.vip != derived.first_vip(due):
        problems.append(f"{service.vip} was assigned, expected the first free address {derived.first_vip(due)}")
    pool = pools.named(due.name)
    usable = derived.usable_addresses(due)
    if not pool:
        problems.append(f"there is no pool {due.name}")
    elif pool.available is None or pool.used is None:
        problems.append(f"{due.name}: counts are not written yet")
    elif expected.cluster.workloads and pool.available >= usable:
        problems.append(f"{due.name}: {pool.available} available, the address of {service.name} is not counted")
    elif not expected.cluster.workloads and pool.available != usable - 1:
        problems.append(f"{due.name}: {pool.available} available, expected {usable - 1}")
    elif pool.total is not None and pool.used + pool.available != pool.total:
        problems.append(f"{due.name}: used {pool.used} + available {pool.available} is not total {pool.total}")
    left = pool.available if pool else None
    return judged(
        problems, f"{service.name} has {service.vip}; {left} addresses are left", vip=str(service.vip), available=left
    )


@check(
    "G20",
    title="address is not announced yet",
    needs=(AppService, BgpTables, RouterRoutes),
    holds_from="G19",
    until="G21",
    stays=True,
    explanation=Explanation(
        "The Service has its address, but no router knows it: neither BGP table nor kernel have a route to it.",
        "Assigning and announcing are two things: without an advertisement that selects the Service, nothing is sent.",
        ("ssh {router} ip route | grep {vip}", "ssh {router} sudo vtysh -c 'show ip bgp {vip}/32'"),
    ),
)
def address_is_not_announced(
    service: AppService, tables: BgpTables, routes: RouterRoutes, expected: Expected
) -> Finding:
    if not expected.vip_prefix:
        return inconclusive(f"Service {expected.app.name} has no address yet: {service.service}")
    problems = []
    for router in expected.routers:
        paths = tables.by_router[router.name].paths(expected.vip_prefix)
        route = routes.by_router[router.name].to(expected.vip_prefix)
        if paths:
            problems.append(f"{router.name} has paths to {expected.vip} via {listed(path.next_hop for path in paths)}")
        if route:
            problems.append(f"{router.name}'s kernel has {expected.vip} via {listed(route.gateways)}")
    return judged(problems, f"no route to {expected.vip} on {len(expected.routers)} routers")


@check(
    "G21",
    title="nodes have a route policy for the address",
    needs=(RoutePolicies,),
    explanation=Explanation(
        "Each node that announces has the policies `allow-local`, one for its pod CIDR, and one for the Service's"
        " address as a /32, for every peer.",
        "GoBGP exports nothing by default; Cilium adds one policy per peer and thing announced.",
        ("kubectl exec -n kube-system ds/cilium -- cilium-dbg bgp route-policies",),
    ),
)
def nodes_have_a_policy_for_the_address(seen: RoutePolicies, expected: Expected) -> Finding:
    if not expected.vip_prefix:
        return inconclusive(f"Service {expected.app.name} has no address yet")
    problems = []
    for node in expected.bgp_nodes:
        due = {"allow-local import"}
        for peer in expected.peer_names().values():
            due.add(f"{peer}-ipv4-PodCIDR export {node.pod_cidr}")
            if node in expected.announcers:
                service = f"{expected.app.name}-{expected.app.namespace}"
                due.add(f"{peer}-ipv4-Service-{service}-LoadBalancerIP export {expected.vip_prefix}")
        said = [
            " ".join([policy.name, policy.type, *sorted(str(prefix) for prefix in policy.prefixes)])
            for policy in seen.by_node.get(node.name, ())
        ]
        problems += difference(f"{node.name}: policies", said, due)
    who = listed(node.name for node in expected.announcers)
    return judged(problems, f"{who} export {expected.vip_prefix}", nodes=len(expected.announcers))


@check(
    "G22",
    title="address has one path per node",
    needs=(BgpTables, RouterRoutes),
    holds_from="G21",
    until="G24",
    explanation=Explanation(
        "The router has one valid external path to the address from every node, all multipath, exactly one best;"
        " its kernel has as many next hops (at most maximum-paths).",
        "With policy Cluster every node announces the address, and paths of equal AS length are used side by side."
        " Which one is best depends on arrival (Router ID, or the older path), so it is recorded, not demanded.",
        ("ssh {router} sudo vtysh -c 'show ip bgp {vip}/32'", "ssh {router} ip route | grep {vip}"),
    ),
)
def vip_has_one_path_per_node(tables: BgpTables, routes: RouterRoutes, expected: Expected) -> Finding:
    return paths_match_announcers(tables, routes, expected)


def paths_match_announcers(tables: BgpTables, routes: RouterRoutes, expected: Expected) -> Finding:
    """The BGP table and the kernel of every router have exactly the nodes that should announce the VIP."""
    if not expected.vip_prefix:
        return inconclusive(f"Service {expected.app.name} has no address")
    if not expected.announcers:
        return inconclusive(f"no node should announce {expected.vip}")
    due = {node.address for node in expected.announcers}
    problems, best = [], []
    for router in expected.routers:
        paths = tables.by_router[router.name].paths(expected.vip_prefix)
        name = router.name
        problems += difference(f"{name}: paths to {expected.vip}", [path.next_hop for path in paths], due)
        problems += [f"{name}: the path via {path.next_hop} is not valid" for path in paths if not path.valid]
        problems += [f"{name}: the path via {path.next_hop} is not external" for path in paths if not path.external]
        problems += [f"{name}: the path via {path.next_hop} is stale" for path in paths if path.stale]
        if len(paths) != len({path.next_hop for path in paths}):
            problems.append(f"{name}: more than one path by the same next hop")
        chosen = [path for path in paths if path.best]
        best += [f"{path.next_hop} ({path.selection_reason})" for path in chosen]
        problems += [] if len(chosen) == 1 else [f"{name}: {len(chosen)} paths are best, expected one"]
        many = {path.next_hop for path in paths if path.in_use}
        installed = expected.installed_paths(router)
        if len(many) != installed:
            problems.append(f"{name}: {len(many)} paths are in use (multipath), expected {installed}")
        route = routes.by_router[name].to(expected.vip_prefix)
        problems += difference(f"{name}: kernel next hops to {expected.vip}", route.gateways if route else [], many)
        problems += [f"{name}: kernel route is proto {route.protocol}"] if route and route.protocol != "bgp" else []
    return judged(
        problems,
        f"{expected.vip}: paths via {listed(due)}; best: {listed(best)}",
        paths=len(due),
        best=listed(best),
    )


@check(
    "G23",
    title="address answers",
    needs=(VipRequests, Endpoints),
    holds_from="G21",
    explanation=Explanation(
        "From every router the address answers every request, and only the Service's pods do.",
        "The router sends to a node, the node's data path to a pod and back.",
        ("ssh {router} curl -s {vip} | grep Hostname",),
    ),
)
def vip_answers(seen: VipRequests, endpoints: Endpoints, expected: Expected) -> Finding:
    problems = difference("routers that asked", seen.by_router, [router.name for router in expected.routers])
    pods = {endpoint.pod for endpoint in endpoints.ready}
    for router, requests in seen.by_router.items():
        failed = [request for request in requests if not request.answered]
        problems += [f"{router}: {len(failed)} of {len(requests)} requests failed: {told(failed[0])}"] if failed else []
        strangers = set(answered_by(requests)) - pods
        problems += [f"{router}: {listed(strangers)} answered, no endpoint of the Service"] if strangers else []
    total = sum(len(requests) for requests in seen.by_router.values())
    if not total:
        return inconclusive("nothing was sent")
    return judged(problems, f"{seen.vip} answered {total} requests", requests=total)
