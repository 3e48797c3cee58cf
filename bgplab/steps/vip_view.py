"""The way to the LoadBalancer address as nodes, BGP and kernels have it: what steps wait for when it changes."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv4Network

from bgplab.lab.model import Lab
from bgplab.lab.shell import Shell
from bgplab.lab.waiting import Deadline, wait_until
from bgplab.observe.endpoint_slices import read_endpoints
from bgplab.observe.frr_bgp import BgpPath, read_tables
from bgplab.observe.kernel_routes import read_router_routes
from bgplab.observe.services import read_service
from bgplab.spec.model import LabSpec
from bgplab.steps.hosts import routers_of


@dataclass(frozen=True, slots=True)
class VipView:
    """vip: None without an address. serving: nodes with a ready endpoint. due: addresses of nodes that should announce.

    paths: next hops with a valid path in each router's BGP table. used: those that are best or multipath.
    kernel: next hops in each router's kernel.
    """

    vip: IPv4Address | None
    policy: str
    endpoints: int
    serving: frozenset[str]
    due: frozenset[IPv4Address]
    paths: Mapping[str, frozenset[IPv4Address]]
    used: Mapping[str, frozenset[IPv4Address]]
    kernel: Mapping[str, frozenset[IPv4Address]]

    @property
    def agrees(self) -> bool:
        """Every router has a path from exactly the nodes that should announce, and its kernel what BGP uses."""
        return (
            self.vip is not None
            and all(paths == self.due for paths in self.paths.values())
            and all(self.kernel[router] == used for router, used in self.used.items())
        )


def look_at_vip(lab: Lab, spec: LabSpec) -> VipView:
    app = spec.cluster.app
    service = read_service(lab.cluster, app.name, app.namespace).service
    ready = read_endpoints(lab.cluster, app.name, app.namespace).ready
    serving = frozenset(entry.node for entry in ready if entry.node)
    policy = service.external_traffic_policy if service else "Cluster"
    speaking = [node for node in spec.cluster.nodes if node.bgp and (policy == "Cluster" or node.name in serving)]
    due = frozenset(node.address for node in speaking)
    if service is None or service.vip is None:
        return VipView(None, policy, len(ready), serving, due, {}, {}, {})
    paths, kernel = _ways(routers_of(lab, spec), IPv4Network(service.vip))
    return VipView(
        service.vip,
        policy,
        len(ready),
        serving,
        due,
        {name: frozenset(path.next_hop for path in found) for name, found in paths.items()},
        {name: frozenset(path.next_hop for path in found if path.in_use) for name, found in paths.items()},
        kernel,
    )


def _ways(
    routers: dict[str, Shell], prefix: IPv4Network
) -> tuple[dict[str, list[BgpPath]], dict[str, frozenset[IPv4Address]]]:
    """Each router's valid paths and kernel next hops to a prefix."""
    with ThreadPoolExecutor(2) as pool:
        reading = pool.submit(read_tables, routers)
        routes = read_router_routes(routers).by_router
        tables = reading.result().by_router
    found = {name: table.to(prefix) for name, table in routes.items()}
    return (
        {
            name: [path for path in table.paths(prefix) if path.valid and not path.stale]
            for name, table in tables.items()
        },
        {name: frozenset(route.gateways if route else ()) for name, route in found.items()},
    )


def wait_for_agreement(lab: Lab, spec: LabSpec, deadline: Deadline, endpoints: int | None = None) -> VipView:
    """Wait until nodes, BGP and kernels agree about the VIP (and it has so many ready endpoints)."""
    return wait_until(
        partial(look_at_vip, lab, spec),
        holds=lambda seen: seen.agrees and endpoints in (None, seen.endpoints),
        within=deadline,
        what="the address announced by exactly the nodes that should, and in the routers' kernels",
    )
