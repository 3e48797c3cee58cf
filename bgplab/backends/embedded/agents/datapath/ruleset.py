"""What Cilium's eBPF programs do for Services, as an nftables table: pure, from Services and a node to the table.

| who asks | which backends | source address |
|---|---|---|
| pods and the node itself (east-west) | all ready, or this node's with internalTrafficPolicy Local | a pod's is kept |
| others (north-south), policy Cluster | all ready | this node's address when the backend is on another node |
| others, policy Local | this node's ready ones; without any the packet is dropped | kept |

Backends of other clusters count as `mesh/selection.py` says; they are on other nodes, also for a policy Local.

No backend at all: east-west fails at once with EHOSTUNREACH, as at Cilium's socket load balancer; north-south is
refused. A cluster address is not served to others, and an address without its port is nobody's: both are dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

from bgplab.backends.embedded.agents.datapath.nft import Chain, Lookup, Table
from bgplab.backends.embedded.agents.datapath.services import Backend, Service, ServicePort
from bgplab.backends.embedded.agents.datapath.unreachable import RULE as LOG_UNREACHABLE

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
    also_ours: other clusters' nodes, whose node ports its pods and itself take for its own cluster's (a fault of
    Cilium's socket load balancer, `mesh/versions.py`).
    """

    name: str
    address: IPv4Address
    addresses: tuple[IPv4Address, ...]
    pod_cidr: IPv4Network
    native_routing: tuple[IPv4Network, ...] = ()
    also_ours: tuple[IPv4Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Frontend:
    """What a client may ask for."""

    address: IPv4Address
    protocol: str
    port: int

    @property
    def key(self) -> str:
        """As an element of a map."""
        return f"{self.address} . {self.protocol} . {self.port}"

    def counter(self, direction: str) -> str:
        """`north-south/172.16.1.1/tcp/80`: new connections from others to this address and port, served here."""
        return f"{direction}/{self.address}/{self.protocol}/{self.port}"


Target = tuple[IPv4Address, int]


@dataclass(frozen=True, slots=True)
class Offers:
    """Who may answer what on a node, for those who judge connections that exist already.

    inside: sources of the east-west direction. virtual: addresses that are nobody's interface.
    """

    inside: tuple[IPv4Network, ...] = ()
    behind: Mapping[tuple[str, Frontend], frozenset[Target]] = field(default_factory=dict)
    virtual: frozenset[IPv4Address] = frozenset()

    def backends_of(self, source: IPv4Address, frontend: Frontend) -> frozenset[Target] | None:
        """Who may answer this client; None when that is no frontend of a Service."""
        direction = EAST_WEST if any(source in network for network in self.inside) else NORTH_SOUTH
        return self.behind.get((direction, frontend))


@dataclass(frozen=True, slots=True)
class Plan:
    """A node's table, and the same in a form to look things up in."""

    table: Table
    offers: Offers


@dataclass(frozen=True, slots=True)
class _Choice:
    """A choice among backends as it is written, the same on every node that chooses among the same ones.

    rules: what sends a new connection to one of them. chains, affinity: what the rules refer to.
    """

    targets: frozenset[Target] = frozenset()
    rules: tuple[str, ...] = ()
    chains: Mapping[str, Chain] = field(default_factory=dict)
    affinity: Mapping[str, Lookup] = field(default_factory=dict)


_NO_CHOICE = _Choice()


class Shared:
    """What many nodes' plans of the same Services have in common, written by whoever needs it first.

    Writing a hundred backends takes a millisecond, and a hundred nodes have the same ones.
    """

    def __init__(self) -> None:
        self._choices: dict[str, _Choice] = {}
        self._lists: dict[int, tuple[tuple[IPv4Network, ...], str]] = {}

    def choice(self, service: Service, port: ServicePort, backends: tuple[Backend, ...]) -> _Choice:
        """All of a port's backends are the same ones for every node; those of a policy Local are each node's own."""
        if backends is not port.backends:
            return _choice(service, port, backends)
        name = _name(service, port)
        if name not in self._choices:
            self._choices[name] = _choice(service, port, backends)
        return self._choices[name]

    def listed(self, networks: tuple[IPv4Network, ...]) -> str:
        """Networks as elements of a set. By identity: to compare so many takes as long as to write them."""
        known = self._lists.get(id(networks))
        if known is None:  # kept with its text, so that no other object can get its id
            known = self._lists[id(networks)] = networks, ", ".join(map(str, networks))
        return known[1]


@dataclass(slots=True)
class _Draft:
    """A table being written: per direction the verdict on a new connection to each frontend, and who stands behind."""

    shared: Shared
    chains: dict[str, Chain] = field(default_factory=dict)
    affinity: dict[str, Lookup] = field(default_factory=dict)
    verdicts: dict[str, dict[Frontend, str]] = field(default_factory=lambda: {EAST_WEST: {}, NORTH_SOUTH: {}})
    behind: dict[tuple[str, Frontend], frozenset[Target]] = field(default_factory=dict)

    def add(self, chain: str, choice: _Choice, *before: str) -> None:
        """A chain that makes a choice. before: rules that come first."""
        self.chains.update(choice.chains)
        self.chains[chain] = Chain((*before, *choice.rules))
        self.affinity.update(choice.affinity)

    def offer(self, direction: str, frontend: Frontend, verdict: str, choice: _Choice) -> None:
        """The first Service by name keeps a frontend that two of them claim."""
        if frontend not in self.verdicts[direction]:
            self.verdicts[direction][frontend] = verdict
            self.behind[direction, frontend] = choice.targets

    def served(self, direction: str) -> list[Frontend]:
        return [frontend for frontend in self.verdicts[direction] if self.behind[direction, frontend]]

    def unserved(self, direction: str) -> list[Frontend]:
        return [frontend for frontend in self.verdicts[direction] if not self.behind[direction, frontend]]


def plan_of(services: Iterable[Service], node: NodePath, shared: Shared | None = None) -> Plan:
    """The whole data path of a node. shared: of other nodes' plans of the very same Services."""
    draft = _Draft(Shared() if shared is None else shared)
    virtual: set[IPv4Address] = set()
    hairpins: set[IPv4Address] = set()
    for service in services:
        virtual.update(service.cluster_addresses, service.balancer_addresses, service.external_addresses)
        for port in service.ports:
            _add_port(draft, service, port, node)
            hairpins.update(backend.address for backend in port.backends if backend.node == node.name)
    virtual.difference_update(node.addresses)
    hairpins.difference_update(node.addresses)
    lookups = {
        **{
            f"{_word(direction)}_{suffix}": lookup
            for direction in draft.verdicts
            for suffix, lookup in _frontends(draft, direction)
        },
        "virtual_addresses": Lookup("set", "type ipv4_addr;", tuple(map(str, sorted(virtual)))),
        "hairpins": Lookup(
            "set", "type ipv4_addr . ipv4_addr;", tuple(f"{address} . {address}" for address in sorted(hairpins))
        ),
        **draft.affinity,
    }
    # A frontend keeps its counter while it has nobody behind it: a witness compares counts before and after.
    counters = frozenset(frontend.counter(direction) for direction, frontend in draft.behind)
    inside = (node.pod_cidr, *(IPv4Network(address) for address in node.addresses))
    return Plan(
        Table(TABLE, {**_base_chains(node, draft.shared), **draft.chains}, lookups, counters),
        Offers(inside, draft.behind, frozenset(virtual)),
    )


def _frontends(draft: _Draft, direction: str) -> Iterator[tuple[str, Lookup]]:
    """The three maps of a direction: where served connections go, how they are counted, what others get."""
    verdicts = draft.verdicts[direction]
    for suffix, chosen in (("served", draft.served(direction)), ("unserved", draft.unserved(direction))):
        elements = tuple(f"{frontend.key} : {verdicts[frontend]}" for frontend in chosen)
        yield suffix, Lookup("map", f"{_FRONTEND_TYPE} : verdict;", elements)
    elements = tuple(f'{frontend.key} : "{frontend.counter(direction)}"' for frontend in draft.served(direction))
    yield "counters", Lookup("map", f"{_FRONTEND_TYPE} : counter;", elements)


def _add_port(draft: _Draft, service: Service, port: ServicePort, node: NodePath) -> None:
    name = _name(service, port)
    balanced = _at(service.balancer_addresses, port.protocol, port.port)
    exposed = _at(service.external_addresses, port.protocol, port.port)
    mistaken: list[Frontend] = []
    if port.node_port:
        exposed += _at(node.addresses, port.protocol, port.node_port)
        mistaken = _at(node.also_ours, port.protocol, port.node_port)

    inner = port.backends_on(node.name) if service.internal_local else port.backends
    verdict, choice = "goto unreachable", _NO_CHOICE
    if inner:
        verdict, choice = f"goto {EAST_WEST}/{name}", draft.shared.choice(service, port, inner)
        draft.add(f"{EAST_WEST}/{name}", choice)
    for frontend in _at(service.cluster_addresses, port.protocol, port.port) + balanced + exposed + mistaken:
        draft.offer(EAST_WEST, frontend, verdict, choice)

    outer = port.backends_on(node.name) if service.external_local else port.backends
    verdict = guarded = "drop" if service.external_local else "goto refused"
    choice = _NO_CHOICE
    if outer and (balanced or exposed):
        verdict = guarded = f"goto {NORTH_SOUTH}/{name}"
        choice = draft.shared.choice(service, port, outer)
        # A remote backend passes a policy Local (services.py), and its answer must come back by this node.
        leaves = not service.external_local or any(backend.cluster for backend in outer)
        marks = (f"meta mark set meta mark or {_SNAT_UNLESS_LOCAL}",) if leaves else ()
        draft.add(f"{NORTH_SOUTH}/{name}", choice, *marks)
        if service.source_ranges:
            guarded = f"goto guarded/{name}"
            allowed = ", ".join(str(network) for network in service.source_ranges)
            draft.chains[f"guarded/{name}"] = Chain((f"ip saddr != {{ {allowed} }} drop", verdict))
    for frontend in balanced:
        draft.offer(NORTH_SOUTH, frontend, guarded, choice)
    for frontend in exposed:
        draft.offer(NORTH_SOUTH, frontend, verdict, choice)


def _name(service: Service, port: ServicePort) -> str:
    return f"{service.key}/{port.protocol}/{port.port}"


def _at(addresses: Iterable[IPv4Address], protocol: str, port: int) -> list[Frontend]:
    return [Frontend(address, protocol, port) for address in addresses]


def _choice(service: Service, port: ServicePort, backends: tuple[Backend, ...]) -> _Choice:
    """Send a new connection to one of the backends, each as likely; conntrack keeps the choice."""
    targets = frozenset((backend.address, backend.port) for backend in backends)
    translate = f"meta l4proto {port.protocol} dnat ip to"  # nft wants the protocol said again before a port
    if service.affinity_seconds is None:
        return _Choice(targets, (f"{translate} {_draw(backends)}",))
    name = _name(service, port)
    rules: list[str] = []
    chains: dict[str, Chain] = {}
    affinity: dict[str, Lookup] = {}
    for backend in backends:
        bound = f"affinity/{name}/{backend.address}/{backend.port}"
        chain = f"backend/{name}/{backend.address}/{backend.port}"
        timeout = f"{service.affinity_seconds}s"
        affinity[bound] = Lookup("set", "type ipv4_addr; flags dynamic,timeout;")
        chains[chain] = Chain((f"update @{bound} {{ ip saddr timeout {timeout} }}", f"{translate} {_draw((backend,))}"))
        rules.append(f"ip saddr @{bound} goto {chain}")
    drawn = _numbered(f"goto {chain}" for chain in chains)
    rules.append(f"numgen random mod {len(chains)} vmap {{ {drawn} }}")
    return _Choice(targets, tuple(rules), chains, affinity)


def _draw(backends: tuple[Backend, ...]) -> str:
    if len(backends) == 1:
        return f"{backends[0].address}:{backends[0].port}"
    targets = _numbered(f"{backend.address} . {backend.port}" for backend in backends)
    return f"numgen random mod {len(backends)} map {{ {targets} }}"


def _numbered(values: Iterable[str]) -> str:
    return ", ".join(f"{number} : {value}" for number, value in enumerate(values))


def _base_chains(node: NodePath, shared: Shared) -> dict[str, Chain]:
    return {
        # EHOSTUNREACH is what Cilium's socket load balancer says; a refusal is what it answers to others.
        "unreachable": Chain((LOG_UNREACHABLE, "reject with icmp type host-unreachable")),
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
        "inside": Chain((f"counter name {_FRONTEND} map @east_west_counters", f"{_FRONTEND} vmap @east_west_served")),
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
        "postrouting": Chain(tuple(_source_rules(node, shared)), "type nat hook postrouting priority 100"),
    }


def _source_rules(node: NodePath, shared: Shared) -> Iterator[str]:
    yield f"ip saddr . ip daddr @hairpins snat ip to {SERVICE_LOOPBACK}"
    yield f"meta mark and {_SNAT} == {_SNAT} ct status dnat snat ip to {node.address}"
    yield (
        f"meta mark and {_SNAT_UNLESS_LOCAL} == {_SNAT_UNLESS_LOCAL} oifname != {POD_INTERFACES}"
        f" snat ip to {node.address}"
    )
    if node.native_routing:
        native = shared.listed(node.native_routing)
        yield f"ip saddr {node.pod_cidr} ip daddr != {{ {native} }} oifname != {POD_INTERFACES} masquerade"


def _word(direction: str) -> str:
    return direction.replace("-", "_")
