"""What must be there at all."""

from __future__ import annotations

from collections.abc import Iterator

from bgplab.spec.derived import all_nodes
from bgplab.spec.model import LabSpec
from bgplab.spec.places import Path
from bgplab.spec.rules.registry import Breach, rule
from bgplab.spec.rules.walks import nodes_of
from bgplab.spec.templates import MAX_NODES, TOO_MANY_NODES


@rule("subnets")
def there_is_a_subnet(spec: LabSpec) -> Iterator[Breach]:
    if not spec.subnets:
        yield Breach(("subnets",), "there are no subnets", "hosts have addresses in subnets", "describe one at least")


@rule("routers", "clusters")
def there_is_a_router(spec: LabSpec) -> Iterator[Breach]:
    """Several clusters may do without, as long as no node has BGP."""
    if spec.routers:
        return
    if not spec.is_mesh:
        yield Breach(("routers",), "there are no routers", "nodes have nobody to peer with", "describe one at least")
        return
    for path, node in nodes_of(spec):
        if node.bgp:
            yield Breach(
                (*path, "bgp"),
                f"{node.name} has BGP, and there are no routers",
                "it has nobody to peer with",
                "write 'bgp: false', or describe a router",
            )


@rule("clusters")
def there_is_a_cluster(spec: LabSpec) -> Iterator[Breach]:
    if not spec.clusters:
        yield Breach(("clusters",), "there are no clusters", "somebody must announce", "describe one at least")


@rule("clusters.nodes")
def every_cluster_has_nodes(spec: LabSpec) -> Iterator[Breach]:
    for index, cluster in enumerate(spec.clusters):
        path: Path = ("clusters", index, "nodes")
        if not cluster.nodes:
            yield Breach(path, "there are no nodes", "pods and BGP speakers run on nodes", "describe one at least")
        elif not spec.is_mesh and not any(node.bgp for node in cluster.nodes):
            yield Breach(
                path,
                "no node has BGP",
                "the BGP cluster configuration would select none, and nothing would be announced",
                "leave 'bgp: false' out of one node at least",
            )


@rule()
def not_too_many_nodes(spec: LabSpec) -> Iterator[Breach]:
    count = len(all_nodes(spec))
    if count > MAX_NODES:
        yield Breach(("clusters",), f"{count} nodes, at most {MAX_NODES}", TOO_MANY_NODES, "describe fewer")
