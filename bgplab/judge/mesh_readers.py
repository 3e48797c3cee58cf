"""Which observation of a mesh is made how: the table from an observation's type to its reader."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from bgplab.judge.faults import NeedsAChange
from bgplab.observe import (
    hosts,
    kernel_routes,
    mesh_agents,
    mesh_connections,
    mesh_install,
    mesh_load,
    mesh_nodes,
    mesh_services,
)
from bgplab.observe.mesh_failover import FailedOver, Restored
from bgplab.observe.mesh_truth_table import TruthTable

if TYPE_CHECKING:
    from bgplab.judge.sight import Sight

Kept = TypeVar("Kept")


def _nodes(sight: Sight) -> list[tuple[str, str]]:
    """Cluster and node, by name."""
    return [(cluster.name, node.name) for cluster in sight.spec.clusters for node in cluster.nodes]


def _apps(sight: Sight) -> dict[str, tuple[str, str]]:
    return {cluster.name: (cluster.app.name, cluster.app.namespace) for cluster in sight.spec.clusters}


def _routes(sight: Sight) -> kernel_routes.NodeRoutes:
    return kernel_routes.read_node_routes({node: sight.lab.hosts[node] for _, node in _nodes(sight)})


def _reach(sight: Sight) -> mesh_connections.MeshReach:
    """Where each agent was told to go."""
    told = sight.see(mesh_connections.MeshConnections).by_cluster
    return mesh_connections.read_mesh_reach(sight.lab.hosts, {node: told[cluster] for cluster, node in _nodes(sight)})


def _backends(sight: Sight) -> mesh_agents.MeshBackends:
    services = sight.see(mesh_services.MeshServices)
    frontends = {}
    for cluster in sight.spec.clusters:
        service = services.named(cluster.name, cluster.app.namespace, cluster.app.name)
        frontends[cluster.name] = (service.cluster_ip if service else None, cluster.app.port)
    return mesh_agents.read_mesh_backends(sight.lab.clusters, frontends)


def _pods(sight: Sight) -> mesh_services.MeshPods:
    return mesh_services.read_mesh_pods(sight.lab.clusters, {name: app[1] for name, app in _apps(sight).items()})


def _loads(sight: Sight) -> mesh_load.MeshLoads:
    clients, expected = {}, sight.expected
    for cluster in sight.spec.clusters:
        app = cluster.app
        url = f"http://{app.name}/" if app.port == 80 else f"http://{app.name}:{app.port}/"
        clients[cluster.name] = mesh_load.Client(app.client, app.namespace, url)
    requests = {name: expected.connections(name) for name in clients}
    return mesh_load.run_mesh_load(sight.lab.clusters, clients, requests, sight.spec.load_test.concurrency)


def _made_by(kind: type[Kept], step: str, change: str) -> Callable[[Sight], Kept]:
    def read(sight: Sight) -> Kept:
        seen = sight.context.kept(kind)
        if seen is None:
            raise NeedsAChange(f"it takes a change that only step {step} makes: {change}")
        return seen

    return read


READERS: dict[type, Callable[[Sight], Any]] = {
    hosts.HostsAnswering: lambda sight: hosts.read_hosts(sight.lab.hosts),
    kernel_routes.NodeRoutes: _routes,
    mesh_nodes.MeshNodes: lambda sight: mesh_nodes.read_mesh_nodes(sight.lab.clusters),
    mesh_install.MeshInstalled: lambda sight: mesh_install.read_mesh_installed(sight.lab.clusters),
    mesh_agents.MeshAgents: lambda sight: mesh_agents.read_mesh_agents(sight.lab.clusters),
    mesh_agents.MeshNodeLists: lambda sight: mesh_agents.read_mesh_node_lists(sight.lab.clusters),
    mesh_agents.MeshBackends: _backends,
    mesh_connections.MeshApiServers: lambda sight: mesh_connections.read_mesh_api_servers(sight.lab.clusters),
    mesh_connections.MeshConnections: lambda sight: mesh_connections.read_mesh_connections(sight.lab.clusters),
    mesh_connections.MeshReach: _reach,
    mesh_services.MeshServices: lambda sight: mesh_services.read_mesh_services(sight.lab.clusters),
    mesh_services.MeshEndpoints: lambda sight: mesh_services.read_mesh_endpoints(sight.lab.clusters, _apps(sight)),
    mesh_services.MeshPods: _pods,
    mesh_load.MeshLoads: _loads,
    FailedOver: _made_by(FailedOver, "M12", "scaling a cluster's application to 0"),
    Restored: _made_by(Restored, "M13", "scaling it back"),
    TruthTable: _made_by(TruthTable, "M15", "bringing the mesh into every state"),
}

#: Observations that take their time.
SLOW = frozenset({mesh_load.MeshLoads})
