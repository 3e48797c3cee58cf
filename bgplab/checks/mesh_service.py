"""The global Service: pods, annotations, backends, and who answers (M07 to M11, M14)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction

from bgplab.checks.claims import difference, judged, listed
from bgplab.checks.finding import Finding, Verdict, fails, inconclusive
from bgplab.checks.mesh_base import IN_AGENT
from bgplab.checks.mesh_expected import MeshExpected
from bgplab.checks.registry import Explanation, check
from bgplab.observe.mesh_agents import Backend, MeshBackends
from bgplab.observe.mesh_load import MeshLoads
from bgplab.observe.mesh_nodes import MeshNodes
from bgplab.observe.mesh_services import MeshPods, MeshServices
from bgplab.observe.pods import states_of
from bgplab.results.record import LoadTestResult
from bgplab.spec.model import ClusterSpec
from bgplab.traffic import model
from bgplab.traffic.load_test import judge_load_test
from bgplab.traffic.mesh_deviations import ALL_PREFERRED
from bgplab.traffic.model import Part, Unit

ASK = (
    "for c in {contexts}; do for i in $(seq 100); do kubectl --context $c exec {client} --"
    " curl -s --connect-timeout 1 {app} | grep Hostname; done | sort | uniq -c; done"
)


@check(
    "M07",
    title="no node refuses pods",
    needs=(MeshNodes,),
    explanation=Explanation(
        "No node has a taint with the effect NoSchedule.",
        "The application's two pods must run on different nodes, and each cluster has one besides its control plane.",
        ("kubectl --context {context} get nodes -o custom-columns=NAME:.metadata.name,TAINTS:.spec.taints",),
    ),
)
def no_node_refuses_pods(nodes: MeshNodes, expected: MeshExpected) -> Finding:
    problems = [
        f"{node.name} has the taint {taint}"
        for found in nodes.by_cluster.values()
        for node in found
        for taint in node.taints
        if taint.endswith(":NoSchedule")
    ]
    count = sum(len(found) for found in nodes.by_cluster.values())
    return judged(problems, f"{count} nodes take pods", nodes=count)


@check(
    "M08",
    title="the Service is global, with the backends of all clusters",
    needs=(MeshPods, MeshServices, MeshBackends),
    patience_seconds=30,
    explanation=Explanation(
        "In every cluster the application's pods run on different nodes, its Service is annotated as global and shared,"
        " and every agent has the pods of all clusters as its backends.",
        "Services of the same namespace and name are one global Service, where both say so: a cluster takes another"
        " one's backends only if the Service is global on both sides.",
        (
            "kubectl --context {context} get svc,pods -l app={app} -o wide",
            f"{IN_AGENT} service list --clustermesh-affinity",
        ),
    ),
)
def the_service_is_global(
    pods: MeshPods, services: MeshServices, backends: MeshBackends, expected: MeshExpected
) -> Finding:
    problems = []
    for cluster in expected.clusters:
        problems += _pods_of(cluster, pods, expected)
        problems += _service_of(cluster, services)
    if not problems:
        for name, agents in backends.by_cluster.items():
            due = expected.local(name) | expected.remote(name)
            for node, listed_there in agents.items():
                seen = [expected.sides.pods.get(one.address, str(one.address)) for one in listed_there]
                problems += difference(f"{node}: backends of {expected.cluster(name).app.name}", seen, due)
    if problems:
        problems += _known_bugs(expected)
    count = len(expected.sides.homes)
    return judged(problems, f"{count} pods in {len(expected.clusters)} clusters are backends everywhere", pods=count)


def _pods_of(cluster: ClusterSpec, pods: MeshPods, expected: MeshExpected) -> list[str]:
    app, due = cluster.app, expected.replicas(cluster.name)
    there = pods.by_cluster[cluster.name].of_app(app.name)
    running = [pod for pod in there if pod.phase == "Running" and pod.ready]
    problems = []
    if len(running) != due:
        others = states_of(pod for pod in there if pod not in running)
        why = f" ({'; '.join(others)})" if others else ""
        problems.append(f"{cluster.name}: {len(running)} of {due} pods of {app.name} are ready{why}")
    crowded = [node for node, count in Counter(pod.node for pod in running).items() if count > 1]
    problems += [f"{cluster.name}: more than one pod on {listed(crowded)}"] if crowded else []
    for pod in running:
        home = next((node for node in cluster.nodes if node.name == pod.node), None)
        if not home or not pod.address or pod.address not in home.pod_cidr:
            problems.append(f"{pod.name} on {pod.node} has {pod.address}, not one of {home and home.pod_cidr}")
    return problems


def _service_of(cluster: ClusterSpec, services: MeshServices) -> list[str]:
    """What keeps the cluster's Service from being part of the global one, with what stands in its place."""
    app, name = cluster.app, cluster.name
    wanted = f"{app.namespace}/{app.name}"
    service = services.named(name, app.namespace, app.name)
    if service is None:
        others = [one.full_name for one in services.by_cluster[name] if one.is_global]
        instead = f"; its global Service is {listed(others)}" if others else ""
        return [f"{name} has no Service {wanted}{instead}: namespace and name must be the same in every cluster"]
    if not service.is_global:
        return [f'{name}: Service {wanted} is not global (annotation service.cilium.io/global is not "true")']
    if not service.shared:
        return [f'{name}: Service {wanted} is not shared (service.cilium.io/shared is "false")']
    return []


def _known_bugs(expected: MeshExpected) -> list[str]:
    """Deviations of these releases that take backends away as things are: no fault of the lab's."""
    met = dict.fromkeys(one for name in expected.names for one in expected.answering(name).deviations)
    return [f"known of this release: {one}" for one in met]


@check(
    "M09",
    title="client pods run",
    needs=(MeshPods,),
    patience_seconds=30,
    explanation=Explanation(
        "Every cluster has its client pod, running and ready.",
        "From it the Service is asked for by name, as an application would.",
        ("kubectl --context {context} get pod {client} -o wide",),
    ),
)
def clients_run(pods: MeshPods, expected: MeshExpected) -> Finding:
    problems = []
    for cluster in expected.clusters:
        client, due = pods.by_cluster[cluster.name].named(cluster.app.client), expected.client_node(cluster.name)
        if not client or client.phase != "Running" or not client.ready or client.node != due:
            where = f"{client.phase} on {client.node}" if client else "missing"
            why = f" ({client.waits_for})" if client and client.waits_for else ""
            problems.append(f"{cluster.name}: {cluster.app.client} is {where}, expected Running on {due}{why}")
    return judged(problems, f"{len(expected.clusters)} client pods run", clients=len(expected.clusters))


@check(
    "M10",
    title="the pods of all clusters answer, each as often",
    needs=(MeshLoads, MeshPods),
    holds_from="M09",
    until="M11",
    patience_seconds=0,
    explanation=Explanation(
        "From each cluster's client the pods of all clusters answer, with equal shares, and see the client pod's own"
        " address.",
        "Without affinity each connection is a draw over all backends, wherever they are. Between the clusters' pods"
        " nothing is translated (ipMasqAgent.config.nonMasqueradeCIDRs).",
        (ASK,),
    ),
)
def all_clusters_answer(loads: MeshLoads, pods: MeshPods, expected: MeshExpected) -> Finding:
    everyone = frozenset(expected.sides.homes)
    return _answered(loads, pods, expected, dict.fromkeys(expected.names, everyone), "M10")


@check(
    "M11",
    title="affinity local: only the client's own cluster answers",
    needs=(MeshLoads, MeshBackends, MeshPods),
    until="M12",
    patience_seconds=0,
    explanation=Explanation(
        "With the annotation service.cilium.io/affinity=local agents mark their own cluster's backends as preferred,"
        " and only these answer.",
        "Preferred backends are used while there is one; the others stay known, for when there is none.",
        (f"{IN_AGENT} service list --clustermesh-affinity", ASK),
    ),
)
def only_the_own_cluster_answers(
    loads: MeshLoads, backends: MeshBackends, pods: MeshPods, expected: MeshExpected
) -> Finding:
    due = {name: expected.local(name) for name in expected.names}
    return _preferred_answer(loads, backends, pods, expected, due, "M11")


@check(
    "M14",
    title="affinity remote: only other clusters answer",
    needs=(MeshLoads, MeshBackends, MeshPods),
    patience_seconds=0,
    explanation=Explanation(
        "With the annotation service.cilium.io/affinity=remote agents mark other clusters' backends as preferred, and"
        " only these answer.",
        "So traffic is moved away from a cluster that shall be worked on, without its pods being touched.",
        (f"{IN_AGENT} service list --clustermesh-affinity", ASK),
    ),
)
def only_other_clusters_answer(
    loads: MeshLoads, backends: MeshBackends, pods: MeshPods, expected: MeshExpected
) -> Finding:
    due = {name: expected.remote(name) for name in expected.names}
    return _preferred_answer(loads, backends, pods, expected, due, "M14")


def _preferred_answer(
    loads: MeshLoads,
    backends: MeshBackends,
    pods: MeshPods,
    expected: MeshExpected,
    due: dict[str, frozenset[str]],
    row: str,
) -> Finding:
    problems = []
    for name, agents in backends.by_cluster.items():
        for node, known in agents.items():
            problems += difference(f"{node}: preferred backends", _preferred(known, expected), due[name])
            if not ALL_PREFERRED.is_in(expected.cluster(name).cilium_version):
                everyone = [expected.sides.pods.get(one.address, str(one.address)) for one in known]
                problems += difference(f"{node}: backends", everyone, expected.local(name) | expected.remote(name))
    answered = _answered(loads, pods, expected, due, row)
    if not problems or answered.verdict is Verdict.FAILS:
        return replace(answered, reason="; ".join([*problems, answered.reason])) if problems else answered
    return fails("; ".join(problems), answered.evidence, **answered.figures)


def _preferred(known: tuple[Backend, ...], expected: MeshExpected) -> list[str]:
    return [expected.sides.pods.get(one.address, str(one.address)) for one in known if one.preferred]


def _answered(
    loads: MeshLoads, pods: MeshPods, expected: MeshExpected, due: dict[str, frozenset[str]], row: str
) -> Finding:
    """Whether exactly these answered each cluster's client, with equal shares, and saw the client's own address."""
    problems: list[str] = []
    unsure: list[str] = []
    told: list[str] = []
    for name, backends in due.items():
        if not backends:
            problems.append(f"{name}: there is no pod that could answer")
            continue
        result = load_test_of(name, loads, expected, backends, row)
        line = f"from {name}: {result.reason}"
        if result.verdict is Verdict.FAILS:
            problems.append(line)
        else:
            (told if result.verdict is Verdict.HOLDS else unsure).append(line)
        client = pods.by_cluster[name].named(expected.cluster(name).app.client)
        others = set(loads.by_cluster[name].seen_addresses) - {str(client.address) if client else ""}
        problems += [f"from {name}: pods saw {listed(others)} instead of {client and client.address}"] if others else []
    figures = {f"connections_{name}": len(probe) for name, probe in loads.by_cluster.items()}
    if problems:
        return fails("; ".join([*problems, *_known_bugs(expected)]), None, **figures)
    if unsure:
        return inconclusive("; ".join(unsure), None, **figures)
    return judged([], "; ".join(told), **figures)


def load_test_of(
    client: str, loads: MeshLoads, expected: MeshExpected, due: frozenset[str], row: str
) -> LoadTestResult:
    """One client's load test, judged against who may answer, as it goes into results and report."""
    homes, share = expected.sides.homes, Fraction(1, len(due))
    nodes = Counter(homes[pod].node or "?" for pod in due)
    probe, side = loads.by_cluster[client], expected.sides.by_cluster[client]
    spread = model.Expected(
        nodes=tuple(Part(node, count * share) for node, count in sorted(nodes.items())),
        endpoints=tuple(Part(pod, share) for pod in sorted(due)),
        node_unit=Unit.CONNECTION,
        node_units=len(probe),
        endpoint_unit=Unit.CONNECTION,
        endpoint_units=len(probe),
        lost=Fraction(0),
    )
    serving = tuple(model.Endpoint(pod, home.node or "?", "") for pod, home in homes.items())
    app = expected.cluster(client).app
    judged_ = judge_load_test(
        f"{row} from {client}",
        f"{client}'s client, affinity {side.affinity}: {len(probe)} connections",
        probe,
        spread,
        serving,
        {},
        policy="Local",
        hash_policy=None,
        target=f"http://{app.name}/",
        check_id=row,
        group=f"{row}",
        false_alarm_rate=expected.load_tests_rate,
        tests_in_run=expected.tests_in_run,
    )
    return replace(judged_, policy=f"affinity {side.affinity}")
