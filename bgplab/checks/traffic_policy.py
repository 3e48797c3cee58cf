"""externalTrafficPolicy Local: who announces, whom pods see, what happens when pods move (G24–G26)."""

from __future__ import annotations

from bgplab.checks.chance import rate_of
from bgplab.checks.claims import difference, judged, listed
from bgplab.checks.expected import Expected
from bgplab.checks.finding import Finding, fails, inconclusive
from bgplab.checks.load_balancer import paths_match_announcers
from bgplab.checks.registry import Explanation, check
from bgplab.observe.endpoint_slices import Endpoints
from bgplab.observe.frr_bgp import BgpTables
from bgplab.observe.http import SourcesSeen, VipRequests
from bgplab.observe.kernel_routes import RouterRoutes
from bgplab.observe.pod_move import PodsMoved
from bgplab.observe.services import AppService


@check(
    "G24",
    title="only nodes with a pod announce the address",
    needs=(AppService, BgpTables, RouterRoutes),
    explanation=Explanation(
        "With externalTrafficPolicy Local the next hops to the address are exactly the nodes with a ready pod.",
        "A node without a pod of its own would drop what it gets, so it must not announce.",
        (
            "kubectl get svc {app} -o yaml | grep externalTrafficPolicy",
            "kubectl get pod -o wide",
            "ssh {router} sudo vtysh -c 'show ip bgp {vip}/32'",
            "ssh {router} ip route",
        ),
    ),
)
def only_nodes_with_a_pod_announce(
    service: AppService, tables: BgpTables, routes: RouterRoutes, expected: Expected
) -> Finding:
    policy = service.service.external_traffic_policy if service.service else "missing"
    if policy != "Local":
        return fails(f"externalTrafficPolicy is {policy}, expected Local")
    return paths_match_announcers(tables, routes, expected)


@check(
    "G25",
    title="pods see the client's own address",
    needs=(SourcesSeen, Endpoints),
    holds_from="G24",
    explanation=Explanation(
        "With Local a pod sees an address of the router that asked. With Cluster it sees a node's address whenever the"
        " request crossed from one node to another, and the router's own when it did not.",
        "With Cluster the first node may pass a request on to a pod elsewhere, and must hide the client so that the"
        " answer comes back through it.",
        ("ssh {router} curl -s {vip} | grep RemoteAddr",),
    ),
)
def pods_see_the_clients_address(seen: SourcesSeen, endpoints: Endpoints, expected: Expected) -> Finding:
    if not seen.local or not any(seen.local.by_router.values()):
        return inconclusive("nothing was sent with policy Local")
    problems = _seen_with_local(seen.local, expected)
    figures: dict[str, int] = {"answers_local": _answers(seen.local)}
    if seen.cluster is None:
        return judged(
            problems, "with Local, pods see the routers' own addresses (Cluster was not looked at)", **figures
        )
    crossed, wrong = _seen_with_cluster(seen.cluster, endpoints, expected)
    figures |= {"answers_cluster": _answers(seen.cluster), "crossed_cluster": crossed}
    problems += wrong
    homes = max(1, len({endpoint.node for endpoint in endpoints.ready}))
    never_by_chance = (1 / homes) ** _answers(seen.cluster)
    if crossed == 0 and homes > 1:
        if never_by_chance > rate_of("G25"):
            return inconclusive(
                f"{_answers(seen.cluster)} requests with Cluster, and none crossed nodes", None, **figures
            )
        problems.append(f"with Cluster none of {_answers(seen.cluster)} answers saw a node's address")
    return judged(
        problems,
        f"with Local, pods see the routers' own addresses; with Cluster, {crossed} of {_answers(seen.cluster)} answers"
        " crossed nodes and saw a node's address",
        **figures,
    )


def _answers(seen: VipRequests) -> int:
    return sum(request.answered for requests in seen.by_router.values() for request in requests)


def _seen_with_local(seen: VipRequests, expected: Expected) -> list[str]:
    problems = []
    for router in expected.routers:
        requests = seen.by_router.get(router.name, ())
        problems += [] if requests else [f"{router.name} did not ask with Local"]
        failed = [request for request in requests if not request.answered]
        problems += [f"{router.name}: {len(failed)} of {len(requests)} requests with Local failed"] if failed else []
        sources = {request.body.remote for request in requests if request.answered and request.body}
        others = sources - set(router.addresses)
        problems += [f"with Local pods saw {listed(others)}, not {router.name}'s own address"] if others else []
    return problems


def _seen_with_cluster(seen: VipRequests, endpoints: Endpoints, expected: Expected) -> tuple[int, list[str]]:
    """How many answers crossed nodes, and which saw what they must not."""
    homes = {endpoint.pod: endpoint.node for endpoint in endpoints.ready}
    crossed, problems = 0, set()
    for router in expected.routers:
        if not seen.by_router.get(router.name):
            problems.add(f"{router.name} did not ask with Cluster")
        for request in seen.by_router.get(router.name, ()):
            if not request.answered or not request.body:
                continue
            source, home = request.body.remote, homes.get(request.body.hostname)
            entered = expected.node_at(source)
            if entered and entered != home:
                crossed += 1
            elif entered:
                problems.add(f"with Cluster {request.body.hostname} saw {source}, its own node's address")
            elif source not in router.addresses:
                problems.add(f"with Cluster {request.body.hostname} saw {source}, neither a node's nor {router.name}'s")
    return crossed, sorted(problems)


@check(
    "G26",
    title="announcements follow the pods",
    needs=(PodsMoved,),
    holds_from="G24",
    until="G28",
    patience_seconds=0,
    explanation=Explanation(
        "Scaled down by one and back, the node that lost its pod withdraws the address and announces it again; after"
        " each change has settled no request fails.",
        "With Local, the announcement of a node is the announcement that a ready pod is there.",
        (
            "kubectl scale deployment {app} --replicas {fewer}",
            "ssh {router} ip route | grep {vip}",
            "kubectl scale deployment {app} --replicas {replicas}",
        ),
    ),
)
def announcements_follow_the_pods(seen: PodsMoved, expected: Expected) -> Finding:
    counts = [move.replicas for move in seen.moves if move.router == seen.moves[0].router] if seen.moves else []
    if len(counts) < 2 or counts[0] >= counts[-1]:
        return inconclusive(f"the application was not scaled down and back (pods: {counts})")
    speaking = {node.name for node in expected.bgp_nodes}
    routers = [router.name for router in expected.routers]
    problems = difference("routers that were watched", {move.router for move in seen.moves}, routers)
    for move in seen.moves:
        due = set(move.serving) & speaking
        problems += difference(f"{move.replicas} pods: next hops on {move.router}", move.announcing, due)
        if move.failed_after:
            problems.append(f"{move.replicas} pods: {move.failed_after} requests failed after convergence")
    fewer = set(seen.moves[0].serving) & speaking
    lost, gained = set(seen.before) & speaking - fewer, set(seen.moves[-1].serving) & speaking - fewer
    if not lost:
        problems.append("no node with BGP lost its pod")
    if not seen.requests:
        return inconclusive("no request was sent across the change")
    unasked = {f"{move.router} at {move.replicas} pods" for move in seen.moves if not move.sent_after}
    if unasked and not problems:
        return inconclusive(f"no request was sent after convergence: {listed(unasked)}")
    slowest = max(move.settled_seconds for move in seen.moves)
    again = "and announced it again" if gained == lost else f"and {listed(gained)} announced it instead"
    return judged(
        problems,
        f"{listed(lost)} withdrew the address {again} within {slowest:.2f} s;"
        f" of {seen.requests} requests {seen.failed} failed, none after convergence",
        requests=seen.requests,
        failed=seen.failed,
        settled_seconds=round(slowest, 3),
    )
