"""The lab as it stands, for the report's picture; and the versions it is made of."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

from bgplab.lab.model import Lab
from bgplab.observe.endpoint_slices import Endpoints, read_endpoints
from bgplab.observe.frr_bgp import BgpSummaries, read_summaries
from bgplab.observe.frr_config import read_running_configs
from bgplab.observe.kernel_routes import RouterRoutes, read_router_routes
from bgplab.observe.services import read_service
from bgplab.results.record import Topology, TopologyHost, TopologySession
from bgplab.spec import derived
from bgplab.spec.model import LabSpec


def topology_of(lab: Lab, spec: LabSpec) -> Topology:
    """Hosts from the description; sessions, next hops and pods from what is there."""
    app = spec.cluster.app
    routers = {router.name: lab.hosts[router.name] for router in spec.routers}
    service = read_service(lab.cluster, app.name, app.namespace).service
    vip = service.vip if service else None
    endpoints = read_endpoints(lab.cluster, app.name, app.namespace)
    return Topology(
        hosts=(*_routers(spec), *_nodes(spec, endpoints)),
        sessions=_sessions(spec, read_summaries(routers), read_router_routes(routers), vip),
        subnets={subnet.name: str(subnet.cidr) for subnet in spec.subnets},
        vip=str(vip) if vip else "",
    )


def _routers(spec: LabSpec) -> list[TopologyHost]:
    return [
        TopologyHost(
            router.name,
            "router",
            router.asn,
            tuple(str(address) for address in router.addresses),
            tuple(spec.subnet_of(address).name for address in router.addresses),
            tuple(str(network) for network in router.networks),
        )
        for router in spec.routers
    ]


def _nodes(spec: LabSpec, endpoints: Endpoints) -> list[TopologyHost]:
    return [
        TopologyHost(
            node.name,
            "node",
            spec.cluster.bgp.asn if node.bgp else None,
            (str(node.address),),
            (spec.subnet_of(node.address).name,),
            (str(node.pod_cidr),),
            tuple(entry.pod or str(entry.address) for entry in endpoints.ready if entry.node == node.name),
        )
        for node in spec.cluster.nodes
    ]


def _sessions(
    spec: LabSpec, summaries: BgpSummaries, routes: RouterRoutes, vip: IPv4Address | None
) -> tuple[TopologySession, ...]:
    names = {node.address: node.name for node in derived.all_nodes(spec)}
    found = []
    for router, summary in summaries.by_router.items():
        route = routes.by_router[router].to(IPv4Network(vip)) if vip else None
        gateways = route.gateways if route else set()
        found += [
            TopologySession(router, names.get(peer.address, str(peer.address)), peer.state, peer.address in gateways)
            for peer in summary.peers
        ]
    return tuple(found)


def versions_of(lab: Lab, spec: LabSpec) -> dict[str, str]:
    """FRR and kernel of the routers, by what they say themselves."""
    routers = {router.name: lab.hosts[router.name] for router in spec.routers}
    frr = {config.version or "?" for config in read_running_configs(routers).by_router.values()}
    kernels = {shell.run(["uname", "-r"]).stdout.strip() for shell in routers.values()}
    return {"frr": ", ".join(sorted(frr)), "kernel": ", ".join(sorted(kernels))}
