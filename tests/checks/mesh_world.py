"""A mesh in which everything is right, as observations made by hand from its description; tests break one thing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bgplab.checks.all import all_checks
from bgplab.checks.finding import Finding
from bgplab.checks.mesh_expected import MeshExpected
from bgplab.observe.endpoint_slices import Endpoint, Endpoints
from bgplab.observe.hosts import HostsAnswering
from bgplab.observe.kernel_routes import KernelRoute, NextHop, NodeRoutes, RouteTable
from bgplab.observe.mesh_agents import (
    AgentSeen,
    Backend,
    ListedNode,
    MeshAgents,
    MeshBackends,
    MeshNodeLists,
    RemoteSeen,
)
from bgplab.observe.mesh_connections import ApiServer, MeshApiServers, MeshConnections, MeshReach, Target
from bgplab.observe.mesh_failover import Crossing, FailedOver, Restored
from bgplab.observe.mesh_install import CERTIFICATES, Installed, MeshInstalled
from bgplab.observe.mesh_load import CurlSeen, MeshLoads
from bgplab.observe.mesh_nodes import CONTROL_PLANE, MeshNode, MeshNodes
from bgplab.observe.mesh_services import MeshEndpoints, MeshPods, MeshService, MeshServices
from bgplab.observe.mesh_truth_table import Cell, TruthTable
from bgplab.observe.pods import Pods, PodSeen
from bgplab.spec.loading import load_lab
from bgplab.spec.model import ClusterSpec, LabSpec
from bgplab.traffic.mesh_model import Side, State, truth_table, who_may_answer
from bgplab.traffic.prober import COLUMNS
from bgplab.traffic.records import Probe

LABS = Path(__file__).parents[2] / "deployments" / "labs"
AUTHORITY, ANOTHER = "AA:" * 31 + "AA", "BB:" * 31 + "BB"
MILLISECOND = 1_000_000
START_NS = 1_763_996_400_000_000_000
NO_CNI = "container runtime network not ready: NetworkReady=false"


@dataclass(frozen=True)
class MeshWorld:
    """Observations by type, for one stage."""

    spec: LabSpec
    stage: str
    seen: dict[type, Any]

    @property
    def expected(self) -> MeshExpected:
        return MeshExpected(self.spec, self.stage, self.seen[MeshServices], self.seen[MeshEndpoints])

    def judge(self, id: str) -> Finding:
        check = all_checks("M")[id]
        return check.judge(*(self.seen[kind] for kind in check.needs), self.expected)

    def but(self, *others: Any) -> MeshWorld:
        """The same world, seen differently in these observations."""
        return MeshWorld(self.spec, self.stage, {**self.seen, **{type(other): other for other in others}})

    def in_cluster(self, kind: type, cluster: str, value: Any) -> MeshWorld:
        """What one cluster shows, seen differently; the observation has `by_cluster`."""
        seen = self.seen[kind]
        return self.but(replace(seen, by_cluster={**seen.by_cluster, cluster: value}))

    def changed(self, kind: type, cluster: str, **changes: Any) -> MeshWorld:
        return self.in_cluster(kind, cluster, replace(self.seen[kind].by_cluster[cluster], **changes))


def mesh_spec(lab: str = "mesh", version: str = "1.17.6") -> LabSpec:
    count = 3 if lab == "three-clusters" else 2
    return load_lab(LABS / f"{lab}.yaml", {f"clusters[{n}].cilium_version": f"'{version}'" for n in range(count)})


def right_mesh(spec: LabSpec, stage: str) -> MeshWorld:
    """Stages: M01 to M15."""
    at, clusters = int(stage[1:]), {cluster.name: cluster for cluster in spec.clusters}
    affinity = "remote" if at >= 14 else "local" if at >= 11 else "absent"
    ready = {name: _pods(cluster) for name, cluster in clusters.items()}
    if stage == "M12":
        ready[spec.clusters[0].name] = ()
    services = {
        name: (
            MeshService("kube-system", "kube-dns", cluster.service_cidr[10], False, True, "absent", True),
            MeshService("default", cluster.app.name, cluster.service_cidr[77], True, True, affinity),
        )
        for name, cluster in clusters.items()
    }
    endpoints = {
        name: Endpoints(tuple(Endpoint(pod.address, pod.node, pod.name) for pod in pods))
        for name, pods in ready.items()
    }
    seen: list[Any] = [
        MeshServices(services),
        MeshEndpoints(endpoints),
        HostsAnswering({node.name: node.name for each in spec.clusters for node in each.nodes}, {}),
        MeshNodes(
            {name: tuple(_node(cluster, node.name, at) for node in cluster.nodes) for name, cluster in clusters.items()}
        ),
        MeshInstalled(
            {
                name: Installed(
                    cluster.cilium_version if cluster.cilium_version.count(".") == 2 else f"{cluster.cilium_version}.0",
                    {"cluster-name": name, "cluster-id": str(cluster.id), "max-connected-clusters": "255"},
                    AUTHORITY,
                    dict.fromkeys(CERTIFICATES, AUTHORITY),
                )
                for name, cluster in clusters.items()
            }
        ),
        MeshApiServers({name: ApiServer("NodePort", each.mesh.node_port, 1) for name, each in clusters.items()}),
        MeshConnections(
            {
                name: {
                    other.name: Target(
                        f"{other.name}.mesh.cilium.io", other.mesh.node_port, str(other.nodes[0].address)
                    )
                    for other in spec.clusters
                    if other.name != name
                }
                for name in clusters
            }
        ),
        MeshReach(
            {
                node.name: {other: "" for other in clusters if other != name}
                for name, cluster in clusters.items()
                for node in cluster.nodes
            }
        ),
        MeshAgents({name: {node.name: _agent(spec, name) for node in each.nodes} for name, each in clusters.items()}),
        MeshNodeLists(
            {
                name: {node.name: _node_list(spec, name, node.name) for node in each.nodes}
                for name, each in clusters.items()
            }
        ),
        NodeRoutes({node.name: _routes(spec, node.name) for each in spec.clusters for node in each.nodes}),
        MeshPods({name: Pods((*ready[name], _client(cluster))) for name, cluster in clusters.items()}),
    ]
    world = MeshWorld(spec, stage, {type(each): each for each in seen})
    expected = world.expected
    world = world.but(
        MeshBackends(
            {name: {n.name: _backends(expected, name, affinity) for n in c.nodes} for name, c in clusters.items()}
        ),
        MeshLoads(
            {
                name: load(clusters[name], sorted(expected.answering(name).backends), expected.connections(name))
                for name in clusters
                if expected.answering(name).backends
            }
        ),
        FailedOver(crossing(spec, 0)),
        Restored(crossing(spec, spec.clusters[0].app.replicas)),
    )
    return world.but(right_table(spec))


def _pods(cluster: ClusterSpec) -> tuple[PodSeen, ...]:
    labels = {"app": cluster.app.name}
    return tuple(
        PodSeen(f"webpod-{node.name}", "default", node.name, node.pod_cidr[11], "Running", True, False, labels)
        for node in cluster.nodes
    )


def _client(cluster: ClusterSpec) -> PodSeen:
    home = cluster.nodes[0]
    return PodSeen(cluster.app.client, "default", home.name, home.pod_cidr[4], "Running", True, False, {})


def _node(cluster: ClusterSpec, name: str, at: int) -> MeshNode:
    node = next(each for each in cluster.nodes if each.name == name)
    taints = (f"{CONTROL_PLANE}:NoSchedule",) if node.control_plane and at < 7 else ()
    return MeshNode(name, node.address, node.pod_cidr, NO_CNI if at < 2 else None, taints)


def _agent(spec: LabSpec, cluster: str) -> AgentSeen:
    remotes = {
        other.name: RemoteSeen(other.name, True, True, "etcd: 1/1 connected", other.id, len(other.nodes))
        for other in spec.clusters
        if other.name != cluster
    }
    return AgentSeen("Ok", "1.17.6", remotes, 1)


def _node_list(spec: LabSpec, cluster: str, asked: str) -> tuple[ListedNode, ...]:
    def source(home: ClusterSpec, name: str) -> str:
        return "clustermesh" if home.name != cluster else "local" if name == asked else "custom-resource"

    return tuple(
        ListedNode(home.name, node.name, node.address, node.pod_cidr, source(home, node.name))
        for home in spec.clusters
        for node in home.nodes
    )


def _routes(spec: LabSpec, asked: str) -> RouteTable:
    return RouteTable(
        tuple(
            KernelRoute(node.pod_cidr, "kernel", (NextHop(node.address, "eth0"),))
            for home in spec.clusters
            for node in home.nodes
            if node.name != asked
        )
    )


def _backends(expected: MeshExpected, client: str, affinity: str) -> tuple[Backend, ...]:
    preferred = {"local": expected.local(client), "remote": expected.remote(client)}.get(affinity, frozenset())
    return tuple(Backend(address, "active", pod in preferred) for address, pod in expected.sides.pods.items())


# Traffic -------------------------------------------------------------------------------------------------------------


def probe_of(where: str, rows: Iterable[tuple[int, str | None, str]], source: str = "10.0.0.4") -> Probe:
    """A prober's records: (start in milliseconds, pod that answered, error)."""
    made = [
        (
            number,
            START_NS + at * MILLISECOND,
            300 if pod else None,
            900 if pod else None,
            1000,
            source,
            20000 + number,
            pod,
            f"{source}:{20000 + number}" if pod else None,
            200 if pod else None,
            error,
        )
        for number, (at, pod, error) in enumerate(rows)
    ]
    columns = dict(zip(COLUMNS, (list(column) for column in zip(*made, strict=True)), strict=True))
    return Probe(where, "python3 - --url=http://webpod/", columns, {"per_second": 1000.0})


def load(cluster: ClusterSpec, pods: list[str], connections: int) -> Probe:
    """Each pod as often, in turn."""
    rows = [(number, pods[number % len(pods)], "") for number in range(connections)]
    return probe_of("default/curl-pod", rows, str(cluster.nodes[0].pod_cidr[4]))


def crossing(spec: LabSpec, replicas: int) -> Crossing:
    """One change at 300 ms that is over at 800 ms, with a request every 10 ms for two seconds."""
    first, *others = spec.clusters
    own = sorted(pod.name for pod in _pods(first))
    away = sorted(pod.name for each in others for pod in _pods(each))
    before, after = (own, away) if replicas == 0 else (away, own)
    rows: list[tuple[int, str | None, str]] = [
        (at, (before if at < 500 else after)[at // 10 % len(before if at < 500 else after)], "")
        for at in range(0, 2000, 10)
    ]
    event, settled = START_NS + 300 * MILLISECOND, START_NS + 800 * MILLISECOND
    probe = probe_of("default/curl-pod", rows)
    return Crossing(first.name, replicas, event, settled, frozenset(before), frozenset(after), probe, 0.01)


def side(spec: LabSpec, cluster: str, state: State) -> Side:
    described = next(each for each in spec.clusters if each.name == cluster)
    ready = frozenset(pod.name for pod in _pods(described)) if cluster in state.up else frozenset[str]()
    return Side(cluster, ready, True, state.shared, state.affinity, False, described.cilium_version)


def right_table(spec: LabSpec) -> TruthTable:
    names = tuple(cluster.name for cluster in spec.clusters)
    return TruthTable(tuple(right_cell(spec, state, name) for state in truth_table(names) for name in names), 20.0)


def right_cell(spec: LabSpec, state: State, client: str) -> Cell:
    sides: Mapping[str, Side] = {each.name: side(spec, each.name, state) for each in spec.clusters}
    others = tuple(other for name, other in sides.items() if name != client)
    due = who_may_answer(sides[client], others).backends
    if due:
        return Cell(state, sides[client], others, 0.05, dict.fromkeys(sorted(due), 25), {}, 0.4)
    return Cell(state, sides[client], others, 0.05, {}, {"unreachable": 25}, 0.4, 0.002, CurlSeen(7, 0.002))
