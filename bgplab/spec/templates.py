"""A template in place of a list of nodes: `nodes: {count: 100}` becomes node-1 … node-100.

It works on the data as written, before the model sees it, so that a generated node is judged like a written one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from itertools import islice
from typing import Annotated, Any, TypeVar

from pydantic import Field, ValidationError

from bgplab.errors import InputError, Problem
from bgplab.spec.faults import translate
from bgplab.spec.model import ClusterSpec, Described
from bgplab.spec.places import Path, Places, field_of
from bgplab.spec.values import Label, Range, RefusedValueError, network, read_address

Value = TypeVar("Value")

MAX_NODES = 1000
TOO_MANY_NODES = "never tried, and a Linux bridge, which a subnet is, has 1,024 ports"


class NodeTemplate(Described):
    """Nodes by number: spread over the subnets in turn, with the lowest free addresses and the next pod CIDRs.

    The first is the control plane; every one has BGP.
    """

    count: Annotated[int, Range(1, MAX_NODES, TOO_MANY_NODES)] = Field(description="how many nodes")
    name: Label = Field(default="node", description="names are this, '-' and a number from 1")
    subnets: tuple[Label, ...] = Field(default=(), description="names of the subnets to spread over; all when absent")
    pod_prefix_length: Annotated[int, Range(16, 28, "a node has some pods, and a cluster some nodes")] = Field(
        default=24, description="prefix length of each node's pod CIDR"
    )


@dataclass(slots=True)
class Expanded:
    """The data with lists of nodes; fields in `unread` could not be expanded and are empty."""

    data: dict[str, Any]
    problems: list[Problem] = field(default_factory=list)
    unread: set[Path] = field(default_factory=set)


def expand_templates(data: dict[str, Any], places: Places) -> Expanded:
    """Replace every template by its nodes."""
    clusters = data.get("clusters")
    expanded = Expanded({**data, "clusters": list(clusters)} if isinstance(clusters, list) else data)
    taken = set(_written_addresses(data))
    for index, cluster in enumerate(clusters if isinstance(clusters, list) else ()):
        if not isinstance(cluster, dict) or not isinstance(cluster.get("nodes"), dict):
            continue
        path: Path = ("clusters", index, "nodes")
        try:
            template = _read_template(cluster["nodes"], path, places)
            nodes = _nodes(template, data, cluster, taken, places.where((*path, "count")))
        except InputError as error:
            expanded.problems += error.problems
            expanded.unread.add(field_of(path))
            nodes = []
        expanded.data["clusters"][index] = {**cluster, "nodes": nodes}
    return expanded


def _read_template(nodes: dict[str, Any], path: Path, places: Places) -> NodeTemplate:
    try:
        return NodeTemplate.model_validate(nodes)
    except ValidationError as error:
        faults = error.errors(include_url=False)
    raise InputError(
        problems=[
            translate(fault, places.where((*path, *fault["loc"])), fault["loc"], NodeTemplate) for fault in faults
        ]
    )


def _nodes(
    template: NodeTemplate, data: dict[str, Any], cluster: dict[str, Any], taken: set[IPv4Address], where: str
) -> list[dict[str, Any]]:
    """The nodes as they would be written. Adds their addresses to `taken`. Raises InputError when they do not fit."""
    count = template.count
    subnets = _subnets(template, data, where)
    addresses = list(islice(_in_turn([_free(subnet, taken) for subnet in subnets]), count))
    pods = list(islice(_pod_networks(template, cluster), count))
    named = ", ".join(map(str, subnets)) or "no readable subnet"
    if len(addresses) < count:
        raise InputError(
            where,
            f"{count} nodes need as many addresses, {len(addresses)} are free in {named}",
            "every node has an address of its own",
            "ask for fewer nodes, or widen the subnets",
        )
    if len(pods) < count:
        raise InputError(
            where,
            f"{count} nodes need as many /{template.pod_prefix_length} pod networks, the cluster has {len(pods)}",
            "every node has a pod CIDR of its own inside the cluster's pod_cidr",
            "ask for fewer nodes, widen pod_cidr, or raise pod_prefix_length",
        )
    taken.update(addresses)
    return [
        {
            "name": f"{template.name}-{number}",
            "address": str(address),
            "pod_cidr": str(pod_network),
            "control_plane": number == 1,
        }
        for number, (address, pod_network) in enumerate(zip(addresses, pods, strict=True), start=1)
    ]


def _subnets(template: NodeTemplate, data: dict[str, Any], where: str) -> list[IPv4Network]:
    """The networks to spread over; unreadable ones are left out, as their own problem is reported elsewhere."""
    written = {str(item.get("name")): item.get("cidr") for item in _mappings(data.get("subnets"))}
    if unknown := [name for name in template.subnets if name not in written]:
        raise InputError(
            where,
            f"{', '.join(unknown)}: no such subnet",
            "nodes are spread over subnets by name",
            f"name some of {', '.join(written) or 'the subnets, which are missing'}",
        )
    chosen = [cidr for name, cidr in written.items() if not template.subnets or name in template.subnets]
    return [read for cidr in chosen if (read := _readable(network, cidr)) is not None]


def _pod_networks(template: NodeTemplate, cluster: dict[str, Any]) -> Iterator[IPv4Network]:
    whole = _readable(network, cluster.get("pod_cidr", ClusterSpec.model_fields["pod_cidr"].default))
    if whole is not None and whole.prefixlen <= template.pod_prefix_length:
        yield from whole.subnets(new_prefix=template.pod_prefix_length)


def _free(subnet: IPv4Network, taken: set[IPv4Address]) -> Iterator[IPv4Address]:
    return (address for address in subnet.hosts() if address not in taken)


def _in_turn(sources: list[Iterator[IPv4Address]]) -> Iterator[IPv4Address]:
    """One of each source, again and again; exhausted ones drop out."""
    while sources:
        for source in list(sources):
            try:
                yield next(source)
            except StopIteration:
                sources.remove(source)


def _written_addresses(data: dict[str, Any]) -> Iterator[IPv4Address]:
    """All addresses that routers and written nodes have."""
    for router in _mappings(data.get("routers")):
        written = router.get("addresses")
        yield from _addresses(written if isinstance(written, list) else [])
    for cluster in _mappings(data.get("clusters")):
        yield from _addresses([node.get("address") for node in _mappings(cluster.get("nodes"))])


def _addresses(written: list[Any]) -> Iterator[IPv4Address]:
    return (read for text in written if (read := _readable(read_address, text)) is not None)


def _mappings(items: Any) -> list[dict[str, Any]]:
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _readable(read: Callable[[object], Value], written: object) -> Value | None:
    try:
        return read(written)
    except RefusedValueError:
        return None
