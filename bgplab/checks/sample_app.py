"""The sample application before there is BGP: near pods answer, far ones do not (G03–G06)."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

from bgplab.checks.chance import LOOKS_AT_MOST, binomial_p_value, rate_of
from bgplab.checks.claims import difference, judged, listed
from bgplab.checks.expected import Expected
from bgplab.checks.finding import Finding, fails, inconclusive, skipped
from bgplab.checks.registry import Explanation, check
from bgplab.observe.endpoint_slices import Endpoint, Endpoints
from bgplab.observe.http import PodRequests, Request
from bgplab.observe.pods import Pods, states_of
from bgplab.observe.services import AppService

MANY = 60  # the guide's row asks for at least so many requests through the Service


@check(
    "G03",
    title="sample application runs, one pod per node",
    needs=(Pods, AppService, Endpoints),
    patience_seconds=30,
    explanation=Explanation(
        "The application's pods run on different nodes, each with an address of its node's pod CIDR; the Service has a"
        " cluster IP and these pods as endpoints; the client pod runs on its node.",
        "Required anti-affinity puts one pod on each node, so that each subnet has somebody to reach.",
        (
            "kubectl get pod -o wide",
            "kubectl get svc {app}",
            "kubectl get endpointslices -l kubernetes.io/service-name={app}",
        ),
    ),
)
def app_runs_spread_over_nodes(pods: Pods, service: AppService, endpoints: Endpoints, expected: Expected) -> Finding:
    app = expected.app
    running = [pod for pod in pods.of_app(app.name) if pod.phase == "Running" and pod.ready]
    problems = []
    if len(running) != app.replicas:
        others = states_of(pod for pod in pods.of_app(app.name) if pod not in running)
        problems.append(f"{len(running)} of {app.replicas} pods run" + (f" ({'; '.join(others)})" if others else ""))
    crowded = [node for node, count in Counter(pod.node for pod in running).items() if count > 1]
    problems += [f"more than one pod on {listed(crowded)}"] if crowded else []
    for pod in running:
        home = next((node for node in expected.nodes if node.name == pod.node), None)
        if not home or not pod.address or pod.address not in home.pod_cidr:
            problems.append(f"{pod.name} on {pod.node} has {pod.address}, not one of {home and home.pod_cidr}")
    client = pods.named(app.client)
    if not client or client.phase != "Running" or client.node != expected.client_node:
        where = f"{client.phase} on {client.node}" if client else "missing"
        why = f" ({client.waits_for})" if client and client.waits_for else ""
        problems.append(f"{app.client} is {where}, expected Running on {expected.client_node}{why}")
    cluster_ip = service.service.cluster_ip if service.service else None
    if not cluster_ip or cluster_ip not in expected.cluster.service_cidr:
        problems.append(f"Service {app.name} has no cluster IP in {expected.cluster.service_cidr}: {service.service}")
    problems += difference(
        "ready endpoints", [entry.address for entry in endpoints.ready], [pod.address for pod in running]
    )
    return judged(problems, f"{len(running)} pods on {len(running)} nodes; Service at {cluster_ip}", pods=len(running))


@check(
    "G04",
    title="pods of the client's subnet answer",
    needs=(PodRequests, Endpoints),
    holds_from="G03",
    explanation=Explanation(
        "From the client pod, by name and by address, the pods on nodes of its own subnet answer; the answer names the"
        " pod (Hostname), its addresses (IP) and whom it saw (RemoteAddr).",
        "Cilium's native routing gives every node a direct route to the pods of nodes on its own segment.",
        ("kubectl exec {client} -- curl -s --connect-timeout 1 {app}",),
    ),
)
def pods_of_the_same_subnet_answer(seen: PodRequests, endpoints: Endpoints, expected: Expected) -> Finding:
    near, far = near_and_far(endpoints, expected)
    if not near:
        return _nobody_near(far, expected)
    problems = []
    for endpoint in near:
        request = seen.by_address.get(endpoint.address)
        if not request or not request.answered:
            problems.append(f"{endpoint.pod} at {endpoint.address} on {endpoint.node} did not answer: {told(request)}")
        elif request.body and (request.body.hostname, endpoint.address in request.body.addresses) != (
            endpoint.pod,
            True,
        ):
            problems.append(
                f"{endpoint.address} answered as {request.body.hostname} with {listed(request.body.addresses)}"
            )
        elif request.body and request.body.remote is None:
            problems.append(f"{endpoint.pod} did not say whom it saw (RemoteAddr)")
    by_name = answered_by(seen.by_name)
    near_names = {endpoint.pod for endpoint in near}
    if not near_names & set(by_name):
        problems.append(
            f"by the name {expected.app.name} none of {listed(near_names)} answered ({listed(by_name)} did)"
        )
    return judged(
        problems,
        f"{listed(near_names)} answer by address, and by the name {expected.app.name}",
        requests_by_name=len(seen.by_name),
        answered_by_name=sum(by_name.values()),
    )


@check(
    "G05",
    title="pods see the client pod's own address",
    needs=(PodRequests, Pods, Endpoints),
    holds_from="G03",
    explanation=Explanation(
        "The RemoteAddr that a pod reports is the client pod's own address.",
        "Inside the pod network nothing is translated: addresses of pods are routed, not hidden.",
        (
            "kubectl exec {client} -- curl -s --connect-timeout 1 {app} | grep RemoteAddr",
            "kubectl get pod {client} -o wide",
        ),
    ),
)
def pods_see_the_clients_own_address(
    seen: PodRequests, pods: Pods, endpoints: Endpoints, expected: Expected
) -> Finding:
    client = pods.named(expected.app.client)
    if not client or not client.address:
        return inconclusive(f"{expected.app.client} has no address")
    answers = [
        request.body for request in (*seen.by_name, *seen.by_address.values()) if request.answered and request.body
    ]
    near, far = near_and_far(endpoints, expected)
    if not answers and not near and not expected.reached("G15"):
        return _nobody_near(far, expected)
    if not answers:
        return inconclusive("nobody answered")
    others = {str(body.remote) for body in answers if body.remote != client.address}
    problems = [f"pods saw {listed(others)} instead of {client.address}"] if others else []
    return judged(problems, f"{len(answers)} answers saw {client.address}", answers=len(answers))


@check(
    "G06",
    title="pods of another subnet do not answer",
    needs=(PodRequests, Endpoints),
    holds_from="G03",
    until="G15",
    stays=True,
    explanation=Explanation(
        "From the client pod, pods on nodes of another subnet time out (curl exit 28), and through the Service as many"
        " requests time out as there are such pods among all: a third in the guide.",
        "Native routing knows on-link nodes only. The route to other pods is missing, so packets follow the node's"
        " default route, where nobody answers for pod addresses. G15 mends it.",
        ("kubectl exec {client} -- curl -s --connect-timeout 1 {app}; echo $?",),
    ),
)
def pods_of_another_subnet_time_out(seen: PodRequests, endpoints: Endpoints, expected: Expected) -> Finding:
    near, far = near_and_far(endpoints, expected)
    if not near and not far:
        return inconclusive(f"{expected.app.name} has no ready endpoint")
    if not far:
        return skipped("every pod runs in the client's subnet")
    problems = [
        f"{endpoint.pod} at {endpoint.address} on {endpoint.node}: {told(request)}, expected a time-out (curl exit 28)"
        for endpoint in far
        if (request := seen.by_address.get(endpoint.address)) is None or not request.timed_out
    ]
    names = answered_by(seen.by_name)
    strangers = set(names) - {endpoint.pod for endpoint in near}
    problems += [f"{listed(strangers)} answered through the Service"] if strangers else []
    unlike = [request for request in seen.by_name if not request.answered and not request.timed_out]
    problems += [f"{len(unlike)} requests failed otherwise: {told(unlike[0])}"] if unlike else []
    if len(seen.by_name) < MANY:
        return inconclusive(f"{len(seen.by_name)} requests through the Service, {MANY} are needed")
    timed_out = sum(request.timed_out for request in seen.by_name)
    share = Fraction(len(far), len(near) + len(far))
    p_value = binomial_p_value(timed_out, len(seen.by_name), float(share))
    counted = f"{timed_out} of {len(seen.by_name)} timed out, expected {float(share):.1%} (p = {p_value:.2g})"
    if p_value < rate_of("G06") / LOOKS_AT_MOST:
        problems.append(f"through the Service {counted}")
    figures = {
        "requests": len(seen.by_name),
        "timed_out": timed_out,
        "expected_share": float(share),
        "p_value": p_value,
    }
    if problems:
        return fails("; ".join(problems), None, **figures)
    who = listed(endpoint.pod for endpoint in far)
    return judged([], f"{who} timed out; through the Service {counted}", **figures)


def near_and_far(endpoints: Endpoints, expected: Expected) -> tuple[list[Endpoint], list[Endpoint]]:
    """Ready endpoints in the client's subnet, and the others."""
    known = [entry for entry in endpoints.ready if entry.node in {node.name for node in expected.nodes}]
    near = [entry for entry in known if entry.node and expected.same_subnet(entry.node, expected.client_node)]
    return near, [entry for entry in known if entry not in near]


def _nobody_near(far: list[Endpoint], expected: Expected) -> Finding:
    """Not a pod in the client's subnet: by chance of the schedule, or because there is no pod at all."""
    if not far:
        return inconclusive(f"{expected.app.name} has no ready endpoint")
    return skipped(f"no pod of {expected.app.name} runs in the client's subnet")


def answered_by(requests: tuple[Request, ...]) -> Counter[str]:
    """How often each pod answered."""
    return Counter(request.body.hostname for request in requests if request.answered and request.body)


def told(request: Request | None) -> str:
    """What became of a request, in a word or two."""
    if request is None:
        return "was not asked"
    if request.answered:
        return f"answered in {request.seconds:.3f} s"
    if not request.resolved:
        return f"the name did not resolve (curl exit {request.exit_status})"
    return f"curl exit {request.exit_status}, HTTP {request.http_status or 'nothing'}"
