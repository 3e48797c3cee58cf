"""The traces that the BGP lab's steps leave in the world."""

from __future__ import annotations

from collections.abc import Callable

from bgplab.errors import InputError
from bgplab.judge.sight import Sight
from bgplab.lab.cluster import BGP_ADVERTISEMENT
from bgplab.observe.bgp_node_configs import ClusterConfigs
from bgplab.observe.frr_config import RunningConfigs
from bgplab.observe.frr_service import FrrServices
from bgplab.observe.kernel_routes import NodeRoutes
from bgplab.observe.lb_pools import Pools
from bgplab.observe.nodes import Nodes
from bgplab.observe.services import AppService
from bgplab.observe.sysctl import HashPolicies, HashPolicyFiles
from bgplab.spec import derived, manifests


def _configured(sight: Sight) -> bool:
    return any(config.asn for config in sight.see(RunningConfigs).by_router.values())


def _has_neighbours(sight: Sight) -> bool:
    return any(config.neighbors for config in sight.see(RunningConfigs).by_router.values())


def _restarted(sight: Sight) -> bool:
    services = sight.see(FrrServices).by_router.values()
    return _has_neighbours(sight) and any(service.has_read_its_configuration for service in services)


def _routes(sight: Sight) -> bool:
    tables = sight.see(NodeRoutes).by_node
    return any(tables[node.name].to(derived.pod_route(sight.spec, node).prefix) for node in sight.spec.cluster.nodes)


def _advertised(sight: Sight) -> bool:
    adverts = sight.lab.cluster.list(BGP_ADVERTISEMENT)
    entries = [entry for advert in adverts for entry in advert.get("spec", {}).get("advertisements", [])]
    return any(entry.get("advertisementType") == "Service" for entry in entries)


def _pool(sight: Sight) -> bool:
    return sight.see(Pools).named(sight.spec.cluster.pool.name) is not None


def _service(sight: Sight, **fields: str) -> bool:
    service = sight.see(AppService).service
    return service is not None and all(getattr(service, field) == value for field, value in fields.items())


def _described(sight: Sight, field: str, value: str) -> bool:
    """Whether one of the user's own manifests (`workloads`) makes the Service so from the start."""
    app = sight.spec.cluster.app
    try:
        own = manifests.workloads(sight.spec.cluster)
    except InputError:  # the files have gone since: what they said cannot be known
        return True
    return any(
        (each["kind"], each["metadata"]["name"]) == ("Service", app.name)
        and (each.get("spec") or {}).get(field) == value
        for each in own
    )


# A Service can be of type LoadBalancer, or have the policy Local, before any step made it so: by the user's own
# manifests, or as it was found in a cluster that is somebody else's. So these two are traces only beside the one of the
# step before; or, where nobody described them, of the one before that: then the nearest is missing because it broke.


def _balanced(sight: Sight) -> bool:
    if not _service(sight, type="LoadBalancer"):
        return False
    return _pool(sight) or (_routes(sight) and not _described(sight, "type", "LoadBalancer"))


def _local(sight: Sight) -> bool:
    if not _service(sight, external_traffic_policy="Local"):
        return False
    return _advertised(sight) or (_pool(sight) and not _described(sight, "externalTrafficPolicy", "Local"))


def _hash_policy(sight: Sight) -> bool:
    """A file that sets it; the live value alone only after the steps before: it may be the host's own."""
    due = sight.spec.ecmp.hash_policy
    files = sight.see(HashPolicyFiles).by_router.values()
    if any(line.value == str(due) for lines in files for line in lines):
        return _balanced(sight)
    live = sight.see(HashPolicies).by_router.values()
    return _local(sight) and any(value == due for value in live)


TRACES: dict[str, Callable[[Sight], bool]] = {
    "G01": lambda sight: bool(sight.see(Nodes).nodes),
    "G03": _service,
    # routers come with their base configuration (the guide's do), so without the application it says nothing
    "G07": lambda sight: _service(sight) and _configured(sight),
    "G08": _has_neighbours,
    "G09": _restarted,
    "G10": lambda sight: bool(sight.see(Nodes).labelled(sight.spec.cluster.bgp.node_label)),
    "G11": lambda sight: bool(sight.see(ClusterConfigs).troubles),
    "G15": _routes,
    "G18": _pool,
    "G19": _balanced,
    "G21": _advertised,
    "G24": _local,
    "G28": _hash_policy,
}
