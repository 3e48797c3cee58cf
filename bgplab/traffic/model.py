"""The expected model: from the Service, its endpoints and the routers' paths follows who may answer, and how much.

Pure: data in, data out. The rules, each with its source:

1. A router spreads over the next hops in its kernel. These are the BGP paths, but no more than `maximum_paths`
   (FRR `maximum-paths`); which ones are left out only the kernel can say.
2. Linux divides the hash's range by weight (net/ipv4/nexthop.c, hash-threshold), so equal weights are equal shares.
3. `fib_multipath_hash_policy` 0 hashes source and destination address (ip-sysctl): all connections of one client
   address take one path, which one cannot be said. 1 hashes ports too; 3 hashes chosen fields
   (`fib_multipath_hash_fields`, by default addresses and protocol), so it is as 0 unless a port is among them.
4. externalTrafficPolicy Cluster: the node that gets a connection picks any ready endpoint, each alike, so endpoints'
   shares do not depend on the hash at all. Local: it picks among its own ready ones; with none it drops the connection.
5. sessionAffinity ClientIP: a node keeps a client on one endpoint, so endpoints are drawn per client and not per
   connection.

What is drawn independently is the *unit* of a share: connections, or fewer things (client addresses, flows). Statistics
on connections are only right where the unit is the connection; where it is not, the model says so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from typing import Literal

Policy = Literal["Cluster", "Local"]

#: Bits of fib_multipath_hash_fields (ip-sysctl): source port, destination port; with addresses and protocol.
PORT_FIELDS, ALL_FIELDS = 0x10 | 0x20, 0x37


class Unit(Enum):
    """What the dice are thrown for. FLOW: one client address and source port; a reused port repeats its path."""

    CONNECTION = "connection"
    FLOW = "flow"
    CLIENT = "client address"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint of the Service, as its EndpointSlices list it. name: the pod's, which is what whoami answers."""

    name: str
    node: str
    address: str
    ready: bool = True


@dataclass(frozen=True, slots=True)
class NextHop:
    """One next hop of the route to the VIP, by the node it leads to."""

    node: str
    weight: int = 1


@dataclass(frozen=True, slots=True)
class RouterView:
    """One router's way to the VIP.

    paths: the nodes whose BGP path is valid and multipath. installed: the kernel's next hops, when they were looked at;
    otherwise they follow from paths and maximum_paths. share: its part of the clients' connections, when known.
    hash_fields: what policy 3 hashes.
    """

    name: str
    paths: tuple[str, ...]
    maximum_paths: int
    hash_policy: int
    installed: tuple[NextHop, ...] | None = None
    share: Fraction | None = None
    hash_fields: int = ALL_FIELDS

    @property
    def hashes_ports(self) -> bool:
        """Policy 2 hashes the inner addresses of tunnels, and is as 0 without a tunnel."""
        return self.hash_policy == 1 or (self.hash_policy == 3 and bool(self.hash_fields & PORT_FIELDS))


@dataclass(frozen=True, slots=True)
class Service:
    """What the Service says about external traffic. affinity: sessionAffinity is ClientIP."""

    policy: Policy
    affinity: bool = False


@dataclass(frozen=True, slots=True)
class Clients:
    """Who sends. addresses: the source addresses in use. source_ports: how many different ports; None for any."""

    addresses: tuple[str, ...]
    connections: int
    source_ports: int | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """Who may answer and how much of it. share is None when it cannot be said (`unsaid` tells why)."""

    name: str
    share: Fraction | None


@dataclass(frozen=True, slots=True)
class Expected:
    """What should come out of a load test.

    nodes: the nodes that may *receive* a connection from a router. endpoints: the pods that may answer. units: how many
    independent draws the connections amount to (Unit says of what); at most one node per unit. lost: the share of
    connections that must fail because a node is a next hop but serves nobody. within_node: with policy Local, each
    endpoint's share of its own node's answers, which holds even where the nodes' shares are unsaid. unsaid: sentences.
    contradictions: what BGP, kernel and Service say against each other, sentences.
    """

    nodes: tuple[Part, ...]
    endpoints: tuple[Part, ...]
    node_unit: Unit
    node_units: int
    endpoint_unit: Unit
    endpoint_units: int
    lost: Fraction | None
    within_node: Mapping[str, Mapping[str, Fraction]] = field(default_factory=dict)
    unsaid: tuple[str, ...] = ()
    contradictions: tuple[str, ...] = ()

    @property
    def node_shares(self) -> dict[str, Fraction | None]:
        return {part.name: part.share for part in self.nodes}

    @property
    def endpoint_shares(self) -> dict[str, Fraction | None]:
        return {part.name: part.share for part in self.endpoints}


def nodes_that_should_announce(service: Service, endpoints: Iterable[Endpoint], bgp_nodes: Iterable[str]) -> set[str]:
    """The nodes that announce the VIP: with Local only those with a ready endpoint (Cilium `service.go`, and G24)."""
    speaking = set(bgp_nodes)
    if service.policy == "Cluster":
        return speaking
    return speaking & {endpoint.node for endpoint in endpoints if endpoint.ready}


def expect(
    service: Service,
    endpoints: Sequence[Endpoint],
    routers: Sequence[RouterView],
    clients: Clients,
    bgp_nodes: Sequence[str] | None = None,
) -> Expected:
    """Who may receive, who may answer, and each one's share.

    bgp_nodes: the nodes that speak BGP; when given, paths are compared with who should announce.
    Raises ValueError without a router, a client or a connection: there is nothing to expect then.
    """
    if not routers or not clients.addresses or clients.connections < 1:
        raise ValueError("a load test has at least one router, one client address and one connection")
    ready = tuple(endpoint for endpoint in endpoints if endpoint.ready)
    nodes, unsaid = _nodes(routers)
    unit, units = _unit(routers, clients)
    served = _within_node(ready) if service.policy == "Local" else {}
    endpoint_unit, endpoint_units = _endpoint_unit(service, unit, units, clients)
    if unit is not Unit.CONNECTION:
        unsaid += (_why_not_per_connection(unit, units),)
    if service.affinity:
        unsaid += ("session affinity keeps a client on one endpoint: endpoints are drawn per client address",)
    return Expected(
        nodes=nodes,
        endpoints=_endpoints(service, ready, nodes),
        node_unit=unit,
        node_units=units,
        endpoint_unit=endpoint_unit,
        endpoint_units=endpoint_units,
        lost=_lost(service, ready, nodes),
        within_node=served,
        unsaid=unsaid,
        contradictions=_contradictions(service, ready, routers, nodes, bgp_nodes),
    )


def installed_hops(router: RouterView) -> tuple[NextHop, ...] | None:
    """The kernel's next hops: as seen, or as they follow from BGP; None when BGP alone leaves a choice."""
    if router.installed is not None:
        return router.installed
    if len(router.paths) <= router.maximum_paths:
        return tuple(NextHop(node) for node in router.paths)
    return None


def _nodes(routers: Sequence[RouterView]) -> tuple[tuple[Part, ...], tuple[str, ...]]:
    unsaid: list[str] = []
    shares: dict[str, Fraction | None] = {}
    for router, part in _router_parts(routers):
        hops = installed_hops(router)
        if hops is None:
            unsaid.append(
                f"{router.name} has {len(router.paths)} paths and installs {router.maximum_paths}:"
                " which ones only its kernel can say"
            )
            shares.update(dict.fromkeys(router.paths))
            continue
        total = sum(hop.weight for hop in hops)
        for hop in hops:
            known = shares.get(hop.node, Fraction(0))
            mine = None if part is None else part * Fraction(hop.weight, total)
            shares[hop.node] = None if known is None or mine is None else known + mine
    if any(part is None for _, part in _router_parts(routers)):
        unsaid.append("which router a connection takes is not known, and the routers do not have the same next hops")
    if any(share is None for share in shares.values()):  # a part unknown makes the others' unknown, too
        shares = dict.fromkeys(shares)
    return tuple(Part(name, share) for name, share in sorted(shares.items())), tuple(unsaid)


def _router_parts(routers: Sequence[RouterView]) -> list[tuple[RouterView, Fraction | None]]:
    """Each router with its part of the connections. With the same next hops they need none: any division is right."""
    if all(router.share is not None for router in routers):
        total = sum((router.share for router in routers if router.share is not None), Fraction(0))
        return [(router, router.share / total if router.share is not None and total else None) for router in routers]
    same = len({installed_hops(router) for router in routers}) == 1
    part = Fraction(1, len(routers)) if same else None
    return [(router, part) for router in routers]


def _unit(routers: Sequence[RouterView], clients: Clients) -> tuple[Unit, int]:
    if not all(router.hashes_ports for router in routers):
        return Unit.CLIENT, len(clients.addresses)
    flows = None if clients.source_ports is None else clients.source_ports * len(clients.addresses)
    if flows is not None and flows < clients.connections:
        return Unit.FLOW, flows
    return Unit.CONNECTION, clients.connections


def _endpoint_unit(service: Service, unit: Unit, units: int, clients: Clients) -> tuple[Unit, int]:
    if service.affinity:
        return Unit.CLIENT, len(clients.addresses)
    if service.policy == "Cluster":
        return Unit.CONNECTION, clients.connections
    return unit, units


def _endpoints(service: Service, ready: Sequence[Endpoint], nodes: Sequence[Part]) -> tuple[Part, ...]:
    if not nodes:
        return ()
    if service.policy == "Cluster":
        return tuple(Part(endpoint.name, Fraction(1, len(ready))) for endpoint in ready)
    within = _within_node(ready)
    parts = []
    for node in nodes:
        for name, share in within.get(node.name, {}).items():
            parts.append(Part(name, None if node.share is None else node.share * share))
    return _of_those_answered(parts)


def _of_those_answered(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Shares of the *answers*: what a node without endpoints loses is nobody's."""
    total = sum((part.share for part in parts if part.share is not None), Fraction(0))
    return tuple(Part(part.name, part.share / total if part.share is not None and total else None) for part in parts)


def _within_node(ready: Sequence[Endpoint]) -> dict[str, dict[str, Fraction]]:
    by_node: dict[str, list[Endpoint]] = defaultdict(list)
    for endpoint in ready:
        by_node[endpoint.node].append(endpoint)
    return {node: {each.name: Fraction(1, len(here)) for each in here} for node, here in by_node.items()}


def _lost(service: Service, ready: Sequence[Endpoint], nodes: Sequence[Part]) -> Fraction | None:
    if not nodes or not ready:
        return Fraction(1)
    if service.policy == "Cluster":
        return Fraction(0)
    serving = {endpoint.node for endpoint in ready}
    lost = [node.share for node in nodes if node.name not in serving]
    return None if None in lost else sum((share for share in lost if share is not None), Fraction(0))


def _why_not_per_connection(unit: Unit, units: int) -> str:
    if unit is Unit.CLIENT:
        return f"the hash sees addresses only: each of {units} client addresses keeps to one node, unsaid which"
    return f"{units} different address and port pairs only: connections that share one share its node"


def _contradictions(
    service: Service,
    ready: Sequence[Endpoint],
    routers: Sequence[RouterView],
    nodes: Sequence[Part],
    bgp_nodes: Sequence[str] | None,
) -> tuple[str, ...]:
    said = []
    if service.policy == "Local":
        serving = {endpoint.node for endpoint in ready}
        said += [f"{node.name} is a next hop but has no ready endpoint" for node in nodes if node.name not in serving]
    for router in routers:
        if router.installed is not None:
            kernel = {hop.node for hop in router.installed}
            missing = set(router.paths) - kernel if len(router.paths) <= router.maximum_paths else set()
            said += [f"{router.name}: {node} has a BGP path but is not in the kernel" for node in sorted(missing)]
            said += [
                f"{router.name}: {node} is in the kernel without a BGP path"
                for node in sorted(kernel - set(router.paths))
            ]
        if bgp_nodes is not None:
            should = nodes_that_should_announce(service, ready, bgp_nodes)
            said += [f"{router.name}: {node} should announce and does not" for node in sorted(should - {*router.paths})]
            said += [f"{router.name}: {node} announces and should not" for node in sorted({*router.paths} - should)]
    return tuple(said)
