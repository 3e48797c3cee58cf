"""Addresses and networks."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

from bgplab.spec.model import LabSpec
from bgplab.spec.places import Path, dotted
from bgplab.spec.rules.registry import Breach, rule
from bgplab.spec.rules.walks import addresses_of, listed, nodes_of, overlaps, repeated, routers_of, wired_networks


@rule()
def addresses_are_unique(spec: LabSpec) -> Iterator[Breach]:
    for path, address, first in repeated(addresses_of(spec)):
        yield Breach(
            path,
            f"{address} is also the address of {dotted(first)}",
            "two hosts with one address answer for each other",
            "give it another address",
        )


@rule()
def router_ids_are_unique(spec: LabSpec) -> Iterator[Breach]:
    """A node's id is its address; a router's its first address, unless the description gives one, which is judged."""
    ids: list[tuple[Path, IPv4Address]] = [(path, node.address) for path, node in nodes_of(spec)]
    ids += [
        (path, router.addresses[0]) for path, router in routers_of(spec) if router.addresses and not router.router_id
    ]
    ids += [((*path, "router_id"), router.router_id) for path, router in routers_of(spec) if router.router_id]
    for path, identifier, first in repeated(ids):
        if path[-1] == "router_id":
            yield Breach(
                path,
                f"{identifier} is also the BGP identifier of {dotted(first)}",
                "RFC 6286: speakers are told apart by it",
                "give each its own, or leave it out",
            )


@rule("subnets")
def hosts_are_inside_a_subnet(spec: LabSpec) -> Iterator[Breach]:
    for path, address in addresses_of(spec):
        homes = [subnet.cidr for subnet in spec.subnets if address in subnet.cidr]
        if spec.subnets and not homes:
            yield Breach(
                path,
                f"{address} lies in none of the subnets {listed(subnet.cidr for subnet in spec.subnets)}",
                "a host outside every subnet is connected to nobody",
                "correct the address, or add its subnet under 'subnets:'",
            )
        for home in homes:
            if home.prefixlen < 31 and address in (home.network_address, home.broadcast_address):
                kind = "network" if address == home.network_address else "broadcast"
                yield Breach(
                    path,
                    f"{address} is the {kind} address of {home}",
                    "no host can have it",
                    f"take one from {home[1]} to {home[-2]}",
                )


@rule()
def subnets_and_pod_networks_have_room(spec: LabSpec) -> Iterator[Breach]:
    rooms: list[tuple[Path, IPv4Network, int, str]] = [
        (("subnets", index, "cidr"), subnet.cidr, 30, "a router and a node")
        for index, subnet in enumerate(spec.subnets)
    ]
    rooms += [((*path, "pod_cidr"), node.pod_cidr, 28, "pods") for path, node in nodes_of(spec)]
    rooms += [
        (("clusters", index, "service_cidr"), cluster.service_cidr, 28, "Services")
        for index, cluster in enumerate(spec.clusters)
    ]
    for path, network, longest, holds in rooms:
        if network.prefixlen > longest:
            yield Breach(
                path,
                f"{network} has {network.num_addresses} address(es)",
                f"it must have room for {holds}",
                f"take a /{longest} or larger",
            )


@rule()
def networks_do_not_overlap(spec: LabSpec) -> Iterator[Breach]:
    yield from overlaps(wired_networks(spec))
    yield from overlaps([((*path, "pod_cidr"), node.pod_cidr) for path, node in nodes_of(spec)])


@rule("clusters.pod_cidr", "clusters.service_cidr", "clusters.pool")
def a_clusters_networks_are_its_own(spec: LabSpec) -> Iterator[Breach]:
    networks = wired_networks(spec)
    for index, cluster in enumerate(spec.clusters):
        path: Path = ("clusters", index)
        networks += [((*path, "pod_cidr"), cluster.pod_cidr), ((*path, "service_cidr"), cluster.service_cidr)]
        if not cluster.nodes or any(node.bgp for node in cluster.nodes):  # else nobody announces the pool
            networks += [((*path, "pool", "cidr"), cluster.pool.cidr)]
    yield from (breach for breach in overlaps(networks) if breach.path[0] == "clusters")


@rule("clusters.pod_cidr")
def pods_of_a_node_are_part_of_the_clusters(spec: LabSpec) -> Iterator[Breach]:
    for path, node in nodes_of(spec):
        whole = spec.clusters[int(path[1])].pod_cidr
        if not node.pod_cidr.subnet_of(whole):
            yield Breach(
                (*path, "pod_cidr"),
                f"{node.pod_cidr} is not inside the cluster's pod_cidr {whole}",
                "the nodes' route to all pods (step G15) would miss its pods",
                f"take a part of {whole}, or widen the cluster's",
            )
