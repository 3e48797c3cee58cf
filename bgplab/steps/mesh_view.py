"""The global Service as clusters and agents have it: what steps wait for when it, or its pods, change."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from bgplab.lab.model import Lab
from bgplab.lab.waiting import Deadline, wait_until
from bgplab.observe.mesh_agents import read_mesh_backends
from bgplab.observe.mesh_services import MeshServices, read_mesh_endpoints, read_mesh_services
from bgplab.observe.mesh_sides import Sides, in_use, sides_of
from bgplab.spec.model import LabSpec


@dataclass(frozen=True, slots=True)
class MeshView:
    """sides: by the clusters' objects. used: by cluster and node, the pods its agent gives new connections to."""

    sides: Sides
    used: Mapping[str, Mapping[str, frozenset[str]]]

    @property
    def agrees(self) -> bool:
        """Every agent uses exactly the pods that may answer its cluster's clients."""
        return not self.lacking

    @property
    def lacking(self) -> list[str]:
        """What is not so yet, a sentence per agent."""
        told = []
        for cluster, nodes in self.used.items():
            due = self.sides.answering(cluster).backends
            told += [
                f"{node} uses {', '.join(sorted(used)) or 'nobody'}, due {', '.join(sorted(due)) or 'nobody'}"
                for node, used in nodes.items()
                if used != due
            ]
            told += [] if nodes else [f"no agent of {cluster} answers"]
        return told

    def __str__(self) -> str:
        return "; ".join(self.lacking) or "every agent uses who may answer"


def read_sides(lab: Lab, spec: LabSpec) -> Sides:
    return _read(lab, spec)[0]


def look_at_mesh(lab: Lab, spec: LabSpec) -> MeshView:
    sides, services = _read(lab, spec)
    frontends = {}
    for cluster in spec.clusters:
        service = services.named(cluster.name, cluster.app.namespace, cluster.app.name)
        frontends[cluster.name] = (service.cluster_ip if service else None, cluster.app.port)
    backends = read_mesh_backends(lab.clusters, frontends).by_cluster
    used = {
        cluster: {node: in_use(listed, sides.pods) for node, listed in nodes.items()}
        for cluster, nodes in backends.items()
    }
    return MeshView(sides, used)


def _read(lab: Lab, spec: LabSpec) -> tuple[Sides, MeshServices]:
    apps = {cluster.name: (cluster.app.name, cluster.app.namespace) for cluster in spec.clusters}
    versions = {cluster.name: cluster.cilium_version for cluster in spec.clusters}
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read_mesh_endpoints, lab.clusters, apps)
        services = read_mesh_services(lab.clusters)
        return sides_of(services, reading.result(), apps, versions), services


def wait_for_mesh_agreement(
    lab: Lab, spec: LabSpec, deadline: Deadline, ready: Mapping[str, int] | None = None
) -> MeshView:
    """Wait until every agent uses who may answer (and clusters have so many ready pods). Raises DeadlineExceeded."""
    wanted = ready or {}
    return wait_until(
        partial(look_at_mesh, lab, spec),
        holds=lambda seen: (
            seen.agrees and all(len(seen.sides.by_cluster[name].ready) == count for name, count in wanted.items())
        ),
        within=deadline,
        what="every agent uses exactly the pods that may answer",
    )
