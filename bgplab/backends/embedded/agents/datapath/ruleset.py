"""What Cilium's eBPF programs do for Services, as an nftables table: pure, from Services and a node to the table.

| who asks | which backends | source address |
|---|---|---|
| pods and the node itself (east-west) | all ready, or this node's with internalTrafficPolicy Local | a pod's is kept |
| others (north-south), policy Cluster | all ready | this node's address when the backend is on another node |
| others, policy Local | this node's ready ones; without any the packet is dropped | kept |

No backend at all: east-west fails at once with EHOSTUNREACH, as at Cilium's socket load balancer; north-south is
refused. A cluster address is not served to others, and an address without its port is nobody's: both are dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

from bgplab.backends.embedded.agents.datapath.nft import Chain, Lookup, Table
from bgplab.backends.embedded.agents.datapath.services import Backend, Service, ServicePort

TABLE = "bgplab"

#: A pod that reaches itself through a Service must see an address that is not its own; this one is Cilium's choice.
SERVICE_LOOPBACK = IPv4Address("169.254.42.1")

POD_INTERFACES = '"lxc*"'

#: Packet marks, alive for the first packet of a connection from one hook to the next.
_SNAT_UNLESS_LOCAL = "0x1"
_SNAT = "0x2"

_FRONTEND = "ip daddr . meta l4proto . th dport"
_FRONTEND_TYPE = "type ipv4_addr . inet_proto . inet_service"

#: Before the nat chains, which see a connection's first packet only if nobody has dropped it.
_CHECK_PRIORITY = -110

EAST_WEST, NORTH_SOUTH = "east-west", "north-south"


@dataclass(frozen=True, slots=True)
class NodePath:
    """What the data path knows of its node.

    address: the node's InternalIP, source of what must be translated. addresses: all of its own on which node ports
    are served. pod_cidr: its pods'. native_routing: destinations that see a pod's own address (the cluster's pods and
    nodes); everything else sees the address of the interface it leaves by. Empty: pods are never masqueraded.
    """

    name: str
    address: IPv4Address
    addresses: tuple[IPv4Address, ...]
    pod_cidr: IPv4Network
    native_routing: tuple[IPv4Network, ...] = ()


@dataclass(slots=True)
class _Draft:
    """A table being written: chains by name, and per direction what becomes of a connection to each frontend."""

    chains: dict[str, Chain] = field(default_factory=dict)
    affinity: dict[str, Lookup] = field(default_factory=dict)
    served: dict[str, dict[str, str]] = field(default_factory=lambda: {EAST_WEST: {}, NORTH_SOUTH: {}})
    unserved: dict[str, dict[str, str]] = field(default_factory=lambda: {EAST_WEST: {}, NORTH_SOUTH: {}})
    virtual: set[IPv4Address] = field(default_factory=set)

    def offer(self, direction: str, frontend: str, verdict: str, *, served: bool) -> None:
        """The first Service by name keeps a frontend that two of them claim."""
        if frontend not in self.served[direction] and frontend not in self.unserved[direction]:
            (self.served if served else self.unserved)[direction][frontend] = verdict


def table_of(services: Iterable[Service], node: NodePath) -> Table:
    """The node's whole table."""
    draft = _Draft()
    hairpins: set[IPv4Address] = set()
    for service in services:
        draft.virtual.update(service.cluster_addresses, service.balancer_addresses, service.external_addresses)
        for port in service.ports:
            _add_port(draft, service, port, node)
            hairpins.update(backend.address for backend in port.backends_on(node.name))
    draft.virtual.difference_update(node.addresses)
    # A frontend keeps its counter while it has nobody behind it: a witness compares counts before and after.
    counters = {
        counter_name(direction, frontend)
        for direction in (EAST_WEST, NORTH_SOUTH)
        for frontend in draft.served[direction].keys() | draft.unserved[direction].keys()
    }
    lookups = {
        **{f"{_word(direction)}_served": _verdicts(draft.served[direction]) for direction in draft.served},
        **{f"{_word(direction)}_unserved": _verdicts(draft.unserved[direction]) for direction in draft.unserved},
        **{f"{_word(direction)}_counters": _counters(direction, draft.served[direction]) for direction in draft.served},
        "virtual_addresses": Lookup("set", "type ipv4_addr;", _sorted(draft.virtual)),
        "hairpins": Lookup(
            "set",
            "type ipv4_addr . ipv4_addr;",
            tuple(f"{address} . {address}" for address in _sorted(hairpins - set(node.addresses))),
        ),
        **draft.affinity,
    }
    return Table(TABLE, {**_base_chains(node), **draft.chains}, lookups, frozenset(counters))


def _add_port(draft: _Draft, service: Service, port: ServicePort, node: NodePath) -> None:
    inner = port.backends_on(node.name) if service.internal_local else port.backends
    outer = port.backends_on(node.name) if service.external_local else port.backends
    name = f"{service.key}/{port.protocol}/{port.port}"
    outside = [*service.balancer_addresses, *service.external_addresses]
    frontends = [_frontend(address, port.protocol, port.port) for address in outside]
    if port.node_port:
        frontends += [_frontend(address, port.protocol, port.node_port) for address in node.addresses]
    inside = [_frontend(address, port.protocol, port.port) for address in service.cluster_addresses] + frontends
    if inner:
        draft.chains[f"{EAST_WEST}/{name}"] = Chain(tuple(_choice(draft, service, port, name, inner)))
    for frontend in inside:
        verdict = f"goto {EAST_WEST}/{name}" if inner else "goto unreachable"
        draft.offer(EAST_WEST, frontend, verdict, served=bool(inner))
    if frontends:
        _add_outside(draft, service, port, name, outer, frontends)


def _add_outside(
    draft: _Draft, service: Service, port: ServicePort, name: str, backends: tuple[Backend, ...], frontends: list[str]
) -> None:
    verdict = "drop" if service.external_local else "goto refused"
    guarded = verdict
    if backends:
        verdict = guarded = f"goto {NORTH_SOUTH}/{name}"
        marks = () if service.external_local else (f"meta mark set meta mark or {_SNAT_UNLESS_LOCAL}",)
        rules = (*marks, *_choice(draft, service, port, name, backends))
        draft.chains[f"{NORTH_SOUTH}/{name}"] = Chain(rules)
        if service.source_ranges:
            guarded = f"goto guarded/{name}"
            allowed = ", ".join(str(network) for network in service.source_ranges)
            draft.chains[f"guarded/{name}"] = Chain((f"ip saddr != {{ {allowed} }} drop", verdict))
    balanced = {_frontend(address, port.protocol, port.port) for address in service.balancer_addresses}
    for frontend in frontends:
        draft.offer(
            NORTH_SOUTH, frontend, guarded if frontend in balanced else verdict, served=bool(backends)
        )


def _choice(
    draft: _Draft, service: Service, port: ServicePort, name: str, backends: tuple[Backend, ...]
) -> Iterator[str]:
    """Rules that send a new connection to one of the backends, each as likely; conntrack keeps the choice."""
    translate = f"meta l4proto {port.protocol} dnat ip to"  # nft wants the protocol said again before a port
    if service.affinity_seconds is None:
        yield f"{translate} {_draw(backends)}"
        return
    chains = []
    for backend in backends:
        bound = f"affinity/{name}/{backend.address}/{backend.port}"
        chain = f"backend/{name}/{backend.address}/{backend.port}"
        timeout = f"{service.affinity_seconds}s"
        draft.affinity[bound] = Lookup("set", "type ipv4_addr; flags dynamic,timeout;")
        draft.chains[chain] = Chain(
            (f"update @{bound} {{ ip saddr timeout {timeout} }}", f"{translate} {_draw((backend,))}")
        )
        chains.append(f"goto {chain}")
        yield f"ip saddr @{bound} goto {chain}"
    yield f"numgen random mod {len(chains)} vmap {{ {_numbered(chains)} }}"


def _draw(backends: tuple[Backend, ...]) -> str:
    if len(backends) == 1:
        return f"{backends[0].address}:{backends[0].port}"
    targets = _numbered(f"{backend.address} . {backend.port}" for backend in backends)
    return f"numgen random mod {len(backends)} map {{ {targets} }}"


def _numbered(values: Iterable[str]) -> str:
    return ", ".join(f"{number} : {value}" for number, value in enumerate(values))


def _base_chains(node: NodePath) -> dict[str, Chain]:
    return {
        # EHOSTUNREACH is what Cilium's socket load balancer says; a refusal is what it answers to others.
        "unreachable": Chain(("reject with icmp type host-unreachable",)),
        "refused": Chain(("reject with icmp type port-unreachable",)),
        "prerouting_check": Chain(
            (
                f"ct state new iifname {POD_INTERFACES} {_FRONTEND} vmap @east_west_unserved",
                f"ct state new iifname != {POD_INTERFACES} {_FRONTEND} vmap @north_south_unserved",
            ),
            f"type filter hook prerouting priority {_CHECK_PRIORITY}",
        ),
        "output_check": Chain(
            (f"ct state new {_FRONTEND} vmap @east_west_unserved",),
            f"type filter hook output priority {_CHECK_PRIORITY}",
        ),
        "inside": Chain(
            (f"counter name {_FRONTEND} map @east_west_counters", f"{_FRONTEND} vmap @east_west_served")
        ),
        "prerouting": Chain(
            (
                f"iifname {POD_INTERFACES} goto inside",
                f"counter name {_FRONTEND} map @north_south_counters",
                f"{_FRONTEND} vmap @north_south_served",
            ),
            "type nat hook prerouting priority -100",
        ),
        # The node's own connection has its source from the route to the virtual address: any, so it is translated.
        "output": Chain(
            (f"meta mark set meta mark or {_SNAT}", "goto inside"),
            "type nat hook output priority -100",
        ),
        "forward": Chain(
            (
                # What has no entry any more (its backend is gone) ends at once instead of hanging.
                "ct state invalid meta l4proto tcp ip daddr @virtual_addresses reject with tcp reset",
                f"ct state invalid iifname {POD_INTERFACES} drop",
                "ip daddr @virtual_addresses drop",
            ),
            "type filter hook forward priority 0",
        ),
        "postrouting": Chain(tuple(_source_rules(node)), "type nat hook postrouting priority 100"),
    }


def _source_rules(node: NodePath) -> Iterator[str]:
    yield f"ip saddr . ip daddr @hairpins snat ip to {SERVICE_LOOPBACK}"
    yield f"meta mark and {_SNAT} == {_SNAT} ct status dnat snat ip to {node.address}"
    yield (
        f"meta mark and {_SNAT_UNLESS_LOCAL} == {_SNAT_UNLESS_LOCAL} oifname != {POD_INTERFACES}"
        f" snat ip to {node.address}"
    )
    if node.native_routing:
        native = ", ".join(str(network) for network in node.native_routing)
        yield f"ip saddr {node.pod_cidr} ip daddr != {{ {native} }} oifname != {POD_INTERFACES} masquerade"


def _frontend(address: IPv4Address, protocol: str, port: int) -> str:
    return f"{address} . {protocol} . {port}"


def _verdicts(frontends: Mapping[str, str]) -> Lookup:
    return Lookup("map", f"{_FRONTEND_TYPE} : verdict;", tuple(f"{key} : {value}" for key, value in frontends.items()))


def counter_name(direction: str, frontend: str) -> str:
    """`north-south/172.16.1.1/tcp/80`: new connections from others to this address and port, served by this node."""
    return f"{direction}/{frontend.replace(' . ', '/')}"


def _counters(direction: str, frontends: Iterable[str]) -> Lookup:
    elements = (f'{frontend} : "{counter_name(direction, frontend)}"' for frontend in frontends)
    return Lookup("map", f"{_FRONTEND_TYPE} : counter;", tuple(elements))


def _word(direction: str) -> str:
    return direction.replace("-", "_")


def _sorted(addresses: Iterable[IPv4Address]) -> tuple[str, ...]:
    return tuple(str(address) for address in sorted(addresses))
