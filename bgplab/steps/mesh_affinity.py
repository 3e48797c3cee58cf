"""Service affinity: which side's backends are preferred (M11, M14)."""

from __future__ import annotations

from functools import partial

from bgplab.errors import LabError
from bgplab.lab.cluster import SERVICE, Cluster
from bgplab.lab.model import Lab
from bgplab.lab.waiting import Deadline
from bgplab.spec.mesh_manifests import AFFINITY, SHARED, Affinity
from bgplab.spec.model import ClusterSpec, LabSpec
from bgplab.steps.mesh_clusters import in_agent, in_each, kubectl, service_in
from bgplab.steps.mesh_view import wait_for_mesh_agreement
from bgplab.steps.outcome import Outcome


def plan_affinity(spec: LabSpec, affinity: Affinity) -> list[str]:
    lines = [
        kubectl(cluster, "annotate", "service", cluster.app.name, f"{AFFINITY}={affinity}", "--overwrite")
        for cluster in spec.clusters
    ]
    return lines + [in_agent(cluster, "service", "list", "--clustermesh-affinity") for cluster in spec.clusters]


def prefer_local(lab: Lab, spec: LabSpec, deadline: Deadline) -> Outcome:
    """Affinity local in every cluster; waits until every agent prefers its own (M11). Repeatable.

    Where M14 has been done, the affinity it set stays.
    """
    if set(affinities(lab, spec).values()) == {"remote"}:
        return Outcome.already("affinity is remote: the step that follows (M14) has been done", plan_local(spec))
    return _set(lab, spec, deadline, "local")


def prefer_remote(lab: Lab, spec: LabSpec, deadline: Deadline) -> Outcome:
    """Affinity remote in every cluster; waits until every agent prefers the others' (M14). Repeatable."""
    return _set(lab, spec, deadline, "remote")


def prefer_nobody(lab: Lab, spec: LabSpec, deadline: Deadline) -> Outcome:
    """Undo of M11 and M14: the annotations of affinity and sharing are taken away. Repeatable."""
    before = affinities(lab, spec)
    in_each(lab, spec, partial(annotate, annotations={AFFINITY: None, SHARED: None}))
    wait_for_mesh_agreement(lab, spec, deadline)
    commands = [kubectl(cluster, "annotate", "service", cluster.app.name, f"{AFFINITY}-") for cluster in spec.clusters]
    changed = any(affinity != "absent" for affinity in before.values())
    return Outcome.changed("no affinity", commands) if changed else Outcome.already("no affinity", commands)


def plan_local(spec: LabSpec) -> list[str]:
    return plan_affinity(spec, "local")


def plan_remote(spec: LabSpec) -> list[str]:
    return plan_affinity(spec, "remote")


def affinities(lab: Lab, spec: LabSpec) -> dict[str, str]:
    """By cluster; `absent` without a Service, too."""

    def of(cluster: Cluster, described: ClusterSpec) -> str:
        service = service_in(cluster, described)
        return service.affinity if service else "absent"

    return in_each(lab, spec, of)


def annotate(cluster: Cluster, described: ClusterSpec, *, annotations: dict[str, str | None]) -> None:
    """Annotate the application's Service; None takes an annotation away. Raises LabError without the Service."""
    app = described.app
    if service_in(cluster, described) is None:
        raise LabError(f"{described.name} has no Service {app.namespace}/{app.name} (M08)")
    cluster.patch(SERVICE, app.name, {"metadata": {"annotations": annotations}}, app.namespace)


def _set(lab: Lab, spec: LabSpec, deadline: Deadline, affinity: Affinity) -> Outcome:
    before = affinities(lab, spec)
    changing = [name for name, seen in before.items() if seen != affinity]

    def change(cluster: Cluster, described: ClusterSpec) -> None:
        if described.name in changing:
            annotate(cluster, described, annotations={AFFINITY: affinity})

    in_each(lab, spec, change)
    wait_for_mesh_agreement(lab, spec, deadline)
    what, commands = f"affinity {affinity} in {', '.join(before)}", plan_affinity(spec, affinity)
    return Outcome.changed(what, commands) if changing else Outcome.already(what, commands)
