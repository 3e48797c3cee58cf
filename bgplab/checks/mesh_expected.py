"""What a mesh should look like: from its description, the stage it is in, and the Services that are in its clusters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import TypeVar

from bgplab.checks.stages import reached
from bgplab.observe.mesh_services import MeshEndpoints, MeshServices
from bgplab.observe.mesh_sides import Sides, sides_of
from bgplab.spec import derived
from bgplab.spec.model import ClusterSpec, LabSpec, LoadTest
from bgplab.traffic.mesh_model import Answering
from bgplab.traffic.statistics import FALSE_ALARM_RATE, RESOLUTION, connections_needed, per_test

Item = TypeVar("Item")

#: Load tests of a run: M10, M11 and M14, each from every cluster, each with a verdict on nodes and one on pods.
LOAD_TESTS = ("M10", "M11", "M14")
#: Their part of the run's false-alarm rate; the rest is the truth table's.
LOAD_TESTS_PART = 0.6
MOST_CONNECTIONS = 100_000


@dataclass(frozen=True)
class MeshExpected:
    """The expectation that the mesh's checks compare with. services, endpoints: as they are now."""

    spec: LabSpec
    stage: str
    services: MeshServices
    endpoints: MeshEndpoints

    def reached(self, step: str) -> bool:
        return reached(self.stage, step)

    @property
    def clusters(self) -> tuple[ClusterSpec, ...]:
        return self.spec.clusters

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(cluster.name for cluster in self.clusters)

    def cluster(self, name: str) -> ClusterSpec:
        return next(cluster for cluster in self.clusters if cluster.name == name)

    def others(self, name: str) -> set[str]:
        return set(self.names) - {name}

    def client_node(self, name: str) -> str:
        return derived.client_node(self.cluster(name)).name

    def replicas(self, name: str) -> int:
        """How many pods the application has: none in the first cluster between M12 and M13."""
        cluster = self.cluster(name)
        return 0 if self.stage == "M12" and cluster == self.clusters[0] else cluster.app.replicas

    @cached_property
    def sides(self) -> Sides:
        apps = {cluster.name: (cluster.app.name, cluster.app.namespace) for cluster in self.clusters}
        versions = {cluster.name: cluster.cilium_version for cluster in self.clusters}
        return sides_of(self.services, self.endpoints, apps, versions)

    def answering(self, client: str) -> Answering:
        """Who may answer this cluster's client as things are."""
        return self.sides.answering(client)

    def local(self, client: str) -> frozenset[str]:
        return self.sides.by_cluster[client].ready

    def remote(self, client: str) -> frozenset[str]:
        return frozenset[str]().union(*(side.ready for side in self.sides.others(client)))

    def pairs(self) -> Iterator[tuple[ClusterSpec, ClusterSpec]]:
        return combinations(self.clusters, 2)

    @property
    def load_tests_rate(self) -> float:
        return LOAD_TESTS_PART * FALSE_ALARM_RATE

    @property
    def tests_in_run(self) -> int:
        return len(LOAD_TESTS) * len(self.clusters)

    def connections(self, client: str) -> int:
        """As many as show that a backend's share is a fifth too large; more where the description asks for more."""
        parts, test = len(self.answering(client).backends), self.spec.load_test
        rate = per_test(self.load_tests_rate, 2 * self.tests_in_run)
        needed = connections_needed([1 / parts] * parts, RESOLUTION, rate) if parts > 1 else test.guide_requests
        asked = test.requests if test.requests != LoadTest().requests else 0
        return max(asked, min(needed, MOST_CONNECTIONS))
