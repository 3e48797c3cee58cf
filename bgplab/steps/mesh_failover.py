"""One cluster loses its pods under traffic, and gets them back (M12, M13)."""

from __future__ import annotations

import time

from bgplab.errors import LabError
from bgplab.lab.cluster import DEPLOYMENT, Cluster
from bgplab.lab.model import Lab
from bgplab.lab.waiting import Deadline
from bgplab.observe.mesh_failover import Crossing, FailedOver, Restored
from bgplab.spec.model import ClusterSpec, LabSpec
from bgplab.steps.mesh_affinity import affinities
from bgplab.steps.mesh_clusters import client_of, in_client, kubectl
from bgplab.steps.mesh_steady import PATIENCE_SECONDS, PROBES_PER_SECOND, clock_offset_ns, start_steady
from bgplab.steps.mesh_view import read_sides, wait_for_mesh_agreement
from bgplab.steps.outcome import Outcome
from bgplab.traffic.convergence import convergence

#: Requests are watched for so long before the change, and after it has settled, so that a blackhole shows.
BEFORE_SECONDS = 0.3
AFTER_SECONDS = 2 * PATIENCE_SECONDS


def emptied(spec: LabSpec) -> ClusterSpec:
    """The cluster that loses its pods: the first, as in the guide."""
    return spec.clusters[0]


def plan_failover(spec: LabSpec) -> list[str]:
    return [_scaling(emptied(spec), 0), _asking(emptied(spec))]


def plan_restore(spec: LabSpec) -> list[str]:
    return [_scaling(emptied(spec), emptied(spec).app.replicas), _asking(emptied(spec))]


def fail_over(lab: Lab, spec: LabSpec, deadline: Deadline) -> Outcome:
    """The first cluster's application scaled to 0 while its client asks on (M12). The evidence is a FailedOver.

    With affinity local only, so after M11 and before M14. Done once more on a lab that is not at 0.
    """
    cluster, commands = emptied(spec), plan_failover(spec)
    affinity = affinities(lab, spec)[cluster.name]
    if affinity == "remote":
        return Outcome.already("affinity is remote: the steps that follow have been done", commands)
    if affinity != "local":
        raise LabError(f"{cluster.name}: affinity is {affinity}; pods are taken away under affinity local (M11)")
    if replicas_of(lab.clusters[cluster.name], cluster) == 0:
        return Outcome.already(f"{cluster.name}: {cluster.app.name} has no pods", commands)
    crossing = cross(lab, spec, cluster, 0, deadline)
    return Outcome.changed(_told(crossing), commands, evidence=[FailedOver(crossing)])


def restore(lab: Lab, spec: LabSpec, deadline: Deadline) -> Outcome:
    """The first cluster's application scaled back, with its client asking on (M13). The evidence is a Restored.

    It is also the undo of M12. Repeatable.
    """
    cluster, commands = emptied(spec), plan_restore(spec)
    app = cluster.app
    if replicas_of(lab.clusters[cluster.name], cluster) == app.replicas:
        wait_for_mesh_agreement(lab, spec, deadline, {cluster.name: app.replicas})
        return Outcome.already(f"{cluster.name}: {app.name} has its {app.replicas} pods", commands)
    crossing = cross(lab, spec, cluster, app.replicas, deadline)
    return Outcome.changed(_told(crossing), commands, evidence=[Restored(crossing)])


def cross(lab: Lab, spec: LabSpec, described: ClusterSpec, replicas: int, deadline: Deadline) -> Crossing:
    """Scale one cluster's application under steady requests from its client, until every agent has taken it in."""
    cluster, client = lab.clusters[described.name], client_of(described)
    sides = read_sides(lab, spec)
    before = sides.answering(described.name).backends
    ahead = clock_offset_ns(cluster, client)
    steady = start_steady(cluster, client)
    try:
        time.sleep(BEFORE_SECONDS)
        event_ns = time.time_ns()
        scale(cluster, described, replicas)
        view = wait_for_mesh_agreement(lab, spec, deadline, {described.name: replicas})
        settled_ns = time.time_ns()
        time.sleep(AFTER_SECONDS)
    finally:
        probe = steady.stop()
    after = view.sides.answering(described.name).backends
    return Crossing(
        described.name,
        replicas,
        event_ns + ahead,
        settled_ns + ahead,
        before,
        after,
        probe,
        1 / PROBES_PER_SECOND,
        {**sides.homes, **view.sides.homes},
    )


def scale(cluster: Cluster, described: ClusterSpec, replicas: int) -> None:
    app = described.app
    cluster.patch(DEPLOYMENT, app.name, {"spec": {"replicas": replicas}}, app.namespace)


def replicas_of(cluster: Cluster, described: ClusterSpec) -> int | None:
    """What the Deployment wants; None without it."""
    found = cluster.get(DEPLOYMENT, described.app.name, described.app.namespace)
    return found["spec"].get("replicas", 1) if found else None


def _told(crossing: Crossing) -> str:
    seen = convergence(crossing.probe)
    settled = (crossing.settled_ns - crossing.event_ns) / 1e9
    return (
        f"{crossing.cluster} scaled to {crossing.replicas}, settled after {settled:.2f} s;"
        f" {seen.lost} of {seen.sent} requests lost"
    )


def _scaling(cluster: ClusterSpec, replicas: int) -> str:
    return kubectl(cluster, "scale", "deployment", cluster.app.name, "--replicas", str(replicas))


def _asking(cluster: ClusterSpec) -> str:
    loop = f"while true; do curl -s --connect-timeout 1 {cluster.app.name}; sleep 1; echo ---; done"
    return in_client(cluster, "sh", "-c", loop)
