"""What follows from a description: who peers with whom, who routes through whom, which prefixes are seen where.

Everything here assumes a valid description (`load_lab` and `check_lab` let no other through).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from bgplab.spec.model import ClusterSpec, LabSpec, Node, Pool, Router, Subnet


@dataclass(frozen=True, slots=True)
class StaticRoute:
    """A route a host is given by hand."""

    prefix: IPv4Network
    via: IPv4Address


@dataclass(frozen=True, slots=True)
class Peering:
    """One BGP session as planned: the node dials the router's address from its own. `name` is the peer's in Cilium."""

    name: str
    node: Node
    node_asn: int
    router: Router
    router_address: IPv4Address


def all_nodes(spec: LabSpec) -> tuple[Node, ...]:
    """Nodes of all clusters, in the description's order."""
    return tuple(node for cluster in spec.clusters for node in cluster.nodes)


def bgp_nodes(spec: LabSpec) -> tuple[Node, ...]:
    """Nodes that carry the BGP label."""
    return tuple(node for node in all_nodes(spec) if node.bgp)


def host_names(spec: LabSpec) -> tuple[str, ...]:
    """Every host of the lab: routers, then nodes."""
    return (*(router.name for router in spec.routers), *(node.name for node in all_nodes(spec)))


def node_named(spec: LabSpec, name: str) -> Node:
    """Raises KeyError."""
    return {node.name: node for node in all_nodes(spec)}[name]


def router_named(spec: LabSpec, name: str) -> Router:
    """Raises KeyError."""
    return {router.name: router for router in spec.routers}[name]


def cluster_of(spec: LabSpec, node: Node) -> ClusterSpec:
    """The cluster a node belongs to. Raises StopIteration for a stranger."""
    return next(cluster for cluster in spec.clusters if node in cluster.nodes)


def app_nodes(cluster: ClusterSpec) -> tuple[Node, ...]:
    """Where the sample application may run: on nodes with BGP, as no router learns the way to the pods of others.

    On all nodes of a mesh's cluster, where pods reach each other without BGP.
    """
    speaking = tuple(node for node in cluster.nodes if node.bgp)
    return cluster.nodes if cluster.id or not speaking else speaking


def client_node(cluster: ClusterSpec) -> Node:
    """Where the client pod runs: the named node, else the first of the application's."""
    named = (node for node in cluster.nodes if node.name == cluster.app.client_node)
    return next(named, app_nodes(cluster)[0])


# Subnets and routes ------------------------------------------------------------------------------------------------


def neighbours(spec: LabSpec, node: Node) -> tuple[Node, ...]:
    """The other nodes in a node's subnet: those it reaches without a router."""
    subnet = spec.subnet_of(node.address)
    return tuple(other for other in all_nodes(spec) if other != node and other.address in subnet.cidr)


def router_address_in(router: Router, subnet: Subnet) -> IPv4Address | None:
    """A router's own address in a subnet; None when it has none there."""
    return next((address for address in router.addresses if address in subnet.cidr), None)


def gateway(spec: LabSpec, subnet: Subnet) -> IPv4Address:
    """The router address that serves a subnet: the first router's that has one there. Raises KeyError."""
    return _gateway_towards(spec, subnet, subnet)


def _gateway_towards(spec: LabSpec, subnet: Subnet, other: Subnet) -> IPv4Address:
    """The address in `subnet` of the first router that is in both."""
    for router in spec.routers:
        here, there = router_address_in(router, subnet), router_address_in(router, other)
        if here is not None and there is not None:
            return here
    raise KeyError(f"{subnet.name} → {other.name}")


def routed_subnets(spec: LabSpec) -> tuple[Subnet, ...]:
    """Subnets every node must reach: those with nodes, and those of the routers' peering addresses."""
    ends = [node.address for node in all_nodes(spec)] + [peer_address(router) for router in spec.routers]
    return tuple(subnet for subnet in spec.subnets if any(end in subnet.cidr for end in ends))


def subnet_routes(spec: LabSpec, node: Node) -> tuple[StaticRoute, ...]:
    """Routes a node has from the start (G01): the other node subnets, through a router of its own subnet."""
    own = spec.subnet_of(node.address)
    return tuple(
        StaticRoute(other.cidr, _gateway_towards(spec, own, other)) for other in routed_subnets(spec) if other != own
    )


def pod_route(spec: LabSpec, node: Node) -> StaticRoute:
    """The route step G15 gives a node: all pods of its cluster, through the router address of its subnet."""
    return StaticRoute(cluster_of(spec, node).pod_cidr, gateway(spec, spec.subnet_of(node.address)))


# BGP ---------------------------------------------------------------------------------------------------------------


def peer_address(router: Router) -> IPv4Address:
    """The address nodes peer with: one for all nodes, as one cluster configuration holds it (the guide's way)."""
    return router.addresses[0]


def peer_names(spec: LabSpec, cluster: ClusterSpec) -> tuple[str, ...]:
    """What the cluster calls the routers: `tor-switch`, `tor-switch-2`, … unless the description says otherwise."""
    made = (f"tor-switch-{number}" if number > 1 else "tor-switch" for number in range(1, len(spec.routers) + 1))
    return cluster.bgp.peer_names or tuple(made)


def peerings(spec: LabSpec) -> tuple[Peering, ...]:
    """Every session of the lab: each node with BGP, with each router."""
    return tuple(_peerings(spec))


def _peerings(spec: LabSpec) -> Iterator[Peering]:
    for cluster in spec.clusters:
        for node in cluster.nodes:
            for name, router in zip(peer_names(spec, cluster), spec.routers, strict=True):
                if node.bgp:
                    yield Peering(name, node, cluster.bgp.asn, router, peer_address(router))


def announced_prefixes(node: Node) -> frozenset[IPv4Network]:
    """What a node announces before any Service is: its pod CIDR, when it has BGP."""
    return frozenset({node.pod_cidr} if node.bgp else ())


def received_prefixes(
    spec: LabSpec, node: Node, router: Router, vips: Iterable[IPv4Network] = ()
) -> frozenset[IPv4Network]:
    """What a node has received from a router once all sessions are up; `vips`: the /32s announced at this stage.

    FRR sends one table to all peers of an update group, a node's own prefixes included, so every node receives the
    same: the router's networks, all pod CIDRs, all VIPs (the guide's 4 = 1 + 3). So does a group's sole peer (seen with
    FRR 8.4.4). Received is not accepted: what carries the node's own AS is looped and counts all the same.
    """
    if not node.bgp:
        return frozenset()
    pods = frozenset(peer.pod_cidr for peer in bgp_nodes(spec))
    return frozenset(router.networks) | pods | frozenset(vips)


# LoadBalancer addresses ----------------------------------------------------------------------------------------------


def usable_addresses(pool: Pool) -> int:
    """How many addresses the pool hands out: LB-IPAM reserves first and last of a block of three or more (Cilium)."""
    return pool.cidr.num_addresses - (2 if _reserves(pool) else 0)


def first_vip(pool: Pool) -> IPv4Address:
    """The address a fresh pool gives to the first Service."""
    return pool.cidr[1 if _reserves(pool) else 0]


def _reserves(pool: Pool) -> bool:
    return not pool.allow_first_last and pool.cidr.num_addresses > 2
