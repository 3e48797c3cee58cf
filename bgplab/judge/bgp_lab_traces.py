"""The traces that the BGP lab's steps leave in the world."""

from __future__ import annotations

from collections.abc import Callable

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
from bgplab.spec import derived


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


def _service(sight: Sight, type_: str = "", policy: str = "") -> bool:
    service = sight.see(AppService).service
    if service is None:
        return False
    return (not type_ or service.type == type_) and (not policy or service.external_traffic_policy == policy)


def _hash_policy(sight: Sight) -> bool:
    """A file that sets it; the live value alone only after the steps before: it may be the host's own."""
    due = sight.spec.ecmp.hash_policy
    files = sight.see(HashPolicyFiles).by_router.values()
    if any(line.value == str(due) for lines in files for line in lines):
        return _service(sight, type_="LoadBalancer")
    live = sight.see(HashPolicies).by_router.values()
    return _service(sight, policy="Local") and any(value == due for value in live)


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
    "G18": lambda sight: sight.see(Pools).named(sight.spec.cluster.pool.name) is not None,
    "G19": lambda sight: _service(sight, type_="LoadBalancer"),
    "G21": _advertised,
    "G24": lambda sight: _service(sight, policy="Local"),
    "G28": _hash_policy,
}
