"""Routes by hand, and pods that reach each other through the router (G15–G17)."""

from __future__ import annotations

from bgplab.checks.chance import rate_of, requests_to_see_all
from bgplab.checks.claims import difference, judged, listed
from bgplab.checks.expected import Expected
from bgplab.checks.finding import Finding, inconclusive
from bgplab.checks.registry import Explanation, check
from bgplab.checks.sample_app import answered_by, told
from bgplab.observe.endpoint_slices import Endpoints
from bgplab.observe.flows import Flow, FlowRecords
from bgplab.observe.http import PodRequests
from bgplab.observe.kernel_routes import NodeRoutes
from bgplab.spec import derived

FLAGS = {"SYN", "ACK", "FIN"}


@check(
    "G15",
    title="every node routes the pod network through the router",
    needs=(NodeRoutes,),
    explanation=Explanation(
        "Every node has a route to the whole pod network through the router's address in its own subnet.",
        "The substitute for what Cilium does not do: the router knows all pods by BGP, the nodes are told by hand.",
        ("ssh {node} ip route | grep {pods}",),
    ),
)
def every_node_routes_pods_through_the_router(seen: NodeRoutes, expected: Expected) -> Finding:
    due = {node.name: derived.pod_route(expected.spec, node) for node in expected.nodes}
    problems = []
    for node, route in due.items():
        found = seen.by_node[node].to(route.prefix) if node in seen.by_node else None
        if not found:
            problems.append(f"{node} has no route to {route.prefix}")
        elif found.gateways != {route.via}:
            problems.append(f"{node} has {route.prefix} via {listed(found.gateways)}, expected {route.via}")
    return judged(problems, f"{len(due)} nodes have {expected.cluster.pod_cidr} via their router", nodes=len(due))


@check(
    "G16",
    title="pods reach all pods",
    needs=(PodRequests, Endpoints),
    holds_from="G15",
    explanation=Explanation(
        "Through the Service every pod answers the client pod, no request fails; by address every pod answers, too.",
        "A request to another subnet goes to the router, which has the pod's route by BGP. So many requests are sent"
        " that chance misses a pod less often than the run's false-alarm rate allows.",
        ("kubectl exec {client} -- curl -s {app} | grep Hostname",),
    ),
)
def pods_reach_all_pods(seen: PodRequests, endpoints: Endpoints, expected: Expected) -> Finding:
    ready = endpoints.ready
    if not ready:
        return inconclusive(f"{expected.app.name} has no ready endpoint")
    failed = [request for request in seen.by_name if not request.answered]
    problems = [f"{len(failed)} of {len(seen.by_name)} requests failed: {told(failed[0])}"] if failed else []
    for endpoint in ready:
        request = seen.by_address.get(endpoint.address)
        if not request or not request.answered:
            problems.append(f"{endpoint.pod} at {endpoint.address} on {endpoint.node} did not answer: {told(request)}")
    needed = requests_to_see_all(len(ready), rate_of("G16"))
    if not problems and len(seen.by_name) < needed:
        return inconclusive(f"{len(seen.by_name)} requests cannot show that all {len(ready)} pods answer; {needed} can")
    names = answered_by(seen.by_name)
    problems += difference("pods that answered", names, [endpoint.pod for endpoint in ready])
    return judged(
        problems,
        f"{len(names)} of {len(ready)} pods answered {len(seen.by_name)} requests, none failed",
        requests=len(seen.by_name),
        failed=len(failed),
    )


@check(
    "G17",
    title="flows between client and pods are recorded",
    needs=(PodRequests, FlowRecords, Endpoints),
    holds_from="G15",
    explanation=Explanation(
        "Flow records show the client pod and each pod it reached, both ways, FORWARDED, from SYN to FIN.",
        "What answered is one side of it; the flow log shows the packets themselves, pod by pod.",
        ("hubble observe --protocol tcp --pod {namespace}/{client}",),
    ),
)
def flows_are_recorded(requests: PodRequests, seen: FlowRecords, endpoints: Endpoints, expected: Expected) -> Finding:
    client = expected.app.client
    ports = _client_ports(requests)
    reached = {endpoint.pod for endpoint in endpoints.ready if endpoint.pod in ports}
    if not reached:
        return inconclusive(f"{client} reached no pod, so there is nothing to record")
    problems, counted, found_dropped = [], 0, 0
    for pod in sorted(name for name in reached if name):
        there = [flow for flow in seen.flows if _ends(flow) == (client, pod) and flow.source_port in ports[pod]]
        back = [flow for flow in seen.flows if _ends(flow) == (pod, client) and flow.destination_port in ports[pod]]
        counted += len(there) + len(back)
        for way, here in ((f"{client} → {pod}", there), (f"{pod} → {client}", back)):
            lacking = FLAGS - {flag for flow in here if flow.verdict == "FORWARDED" for flag in flow.flags}
            problems += [f"{way}: no FORWARDED record with {listed(lacking)}"] if lacking else []
            dropped = sum(flow.verdict == "DROPPED" for flow in here)
            problems += [f"{way}: {dropped} records are DROPPED"] if dropped else []
            found_dropped += dropped
    lost = seen.lost - seen.lost_before
    if problems and lost > 0 and not found_dropped:
        return inconclusive(f"the node lost {lost} events; among what is left: {problems[0]}", flows=counted)
    return judged(problems, f"{client} ↔ {listed(reached)} FORWARDED with SYN, ACK and FIN", flows=counted)


def _client_ports(requests: PodRequests) -> dict[str, set[int]]:
    """The client's ports by the pod that answered: a node remembers flows, and older ones prove nothing now."""
    ports: dict[str, set[int]] = {}
    for request in (*requests.by_name, *requests.by_address.values()):
        if request.answered and request.body and request.body.remote_port:
            ports.setdefault(request.body.hostname, set()).add(request.body.remote_port)
    return ports


def _ends(flow: Flow) -> tuple[str, str]:
    return flow.source, flow.destination
