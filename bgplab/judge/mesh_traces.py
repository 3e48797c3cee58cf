"""The traces that the mesh's steps leave in the world."""

from __future__ import annotations

from collections.abc import Callable

from bgplab.judge.sight import Sight
from bgplab.observe.mesh_connections import MeshApiServers, MeshConnections
from bgplab.observe.mesh_install import MeshInstalled
from bgplab.observe.mesh_nodes import MeshNodes
from bgplab.observe.mesh_services import MeshEndpoints, MeshPods, MeshServices


def _installed(sight: Sight) -> bool:
    return any(one.version for one in sight.see(MeshInstalled).by_cluster.values())


def _shared_authority(sight: Sight) -> bool:
    prints = {one.authority for one in sight.see(MeshInstalled).by_cluster.values()}
    return len(prints) == 1 and None not in prints


def _untainted(sight: Sight) -> bool:
    """On all control planes that would have had a taint; that there is none says something only with Cilium there."""
    nodes = sight.see(MeshNodes).by_cluster
    tainted = any(taint.endswith(":NoSchedule") for found in nodes.values() for node in found for taint in node.taints)
    return not tainted and any(nodes.values()) and _installed(sight)


def _global_service(sight: Sight, affinity: str = "") -> bool:
    services = sight.see(MeshServices)
    found = [services.named(each.name, each.app.namespace, each.app.name) for each in sight.spec.clusters]
    return any(one and one.is_global and affinity in ("", one.affinity) for one in found)


def _client(sight: Sight) -> bool:
    pods = sight.see(MeshPods).by_cluster
    return any(pods[cluster.name].named(cluster.app.client) for cluster in sight.spec.clusters)


def _emptied(sight: Sight) -> bool:
    """Affinity local and no ready pod in the first cluster. M13 leaves no trace: it takes this one away."""
    first = sight.spec.clusters[0].name
    return _global_service(sight, "local") and not sight.see(MeshEndpoints).by_cluster[first].ready


TRACES: dict[str, Callable[[Sight], bool]] = {
    "M01": lambda sight: any(sight.see(MeshNodes).by_cluster.values()),
    "M02": _installed,
    "M03": _shared_authority,
    "M04": lambda sight: any(server.type for server in sight.see(MeshApiServers).by_cluster.values()),
    "M05": lambda sight: any(sight.see(MeshConnections).by_cluster.values()),
    "M07": _untainted,
    "M08": _global_service,
    "M09": _client,
    "M11": lambda sight: _global_service(sight, "local"),
    "M12": _emptied,
    "M14": lambda sight: _global_service(sight, "remote"),
}
