"""Which interfaces, addresses and routes a lab has: pure, from the description to lines of `ip -batch`.

Every host has eth0, a silent uplink that answers nobody (as a VM's NAT interface does for lab addresses), and one
interface per subnet: eth1, eth2, … A node's default route is the uplink, never the router; the other *node* subnets
are routed through the router, both ways (facts: otherwise G06 or G14 cannot hold).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

from bgplab.spec.derived import subnet_routes
from bgplab.spec.model import ClusterSpec, LabSpec, Node, Router, Subnet

#: The uplink's addresses (RFC 5737, TEST-NET-1: nobody's), the same on every host, as Vagrant's are.
UPLINK_ADDRESS = "192.0.2.15/24"
UPLINK_GATEWAY = "192.0.2.2"
UPLINK_GATEWAY_MAC = "02:00:00:00:00:02"

#: Every host: no IPv6 (the lab has none; its address detection costs a second), no filters on asymmetric paths.
HOST_SYSCTLS = {
    "net.ipv6.conf.all.disable_ipv6": "1",
    "net.ipv6.conf.default.disable_ipv6": "1",
    "net.ipv4.conf.all.rp_filter": "0",
    "net.ipv4.conf.default.rp_filter": "0",
    "net.ipv4.conf.all.send_redirects": "0",
    "net.ipv4.conf.default.send_redirects": "0",
    "net.ipv4.conf.all.accept_redirects": "0",
    "net.ipv4.conf.default.accept_redirects": "0",
    "net.ipv4.ping_group_range": "0 0",
    "net.ipv4.ip_local_port_range": "20000 60999",
    "-net.ipv4.tcp_tw_reuse": "1",
}
FORWARDING_SYSCTLS = {**HOST_SYSCTLS, "net.ipv4.ip_forward": "1"}


@dataclass(frozen=True, slots=True)
class Link:
    """One veth pair: `outer` in the lab's own namespace, on `bridge` (or on none), `inner` in the host."""

    outer: str
    inner: str
    bridge: str | None


@dataclass(frozen=True, slots=True)
class HostWiring:
    """links: created from outside. lines: `ip -batch` lines run inside, in order."""

    name: str
    links: tuple[Link, ...]
    lines: tuple[str, ...]
    sysctls: dict[str, str] = field(default_factory=dict)


#: A node's SNAT (policy Cluster) makes the router's addresses one. To a pod that has a connection from this port in
#: TIME_WAIT a new one seems old when its time stamps are another address's: 84 of 6000 timed out (RFC 7323, 5; Linux
#: ip-sysctl, tcp_timestamps: 2 is without an offset per pair of addresses).
ONE_CLOCK_SYSCTLS = {"net.ipv4.tcp_timestamps": "2"}


@dataclass(frozen=True, slots=True)
class Wiring:
    """bridges: one per subnet, named by position so that no name grows past the kernel's 15 characters."""

    bridges: tuple[str, ...]
    hosts: tuple[HostWiring, ...]


def wiring_of(spec: LabSpec) -> Wiring:
    """The whole lab's wiring."""
    subnets = {subnet.name: f"br{number}" for number, subnet in enumerate(spec.subnets)}
    routers = [_router(number, router, spec, subnets) for number, router in enumerate(spec.routers)]
    nodes = [(cluster, node) for cluster in spec.clusters for node in cluster.nodes]
    hosts = [_node(number, cluster, node, spec, subnets) for number, (cluster, node) in enumerate(nodes)]
    return Wiring(tuple(subnets.values()), (*routers, *hosts))


def _router(number: int, router: Router, spec: LabSpec, bridges: dict[str, str]) -> HostWiring:
    links, lines = [_uplink(f"r{number}")], _common_lines()
    for position, address in enumerate(router.addresses, start=1):
        subnet = spec.subnet_of(address)
        links.append(Link(f"r{number}e{position}", f"eth{position}", bridges[subnet.name]))
        lines += _interface(f"eth{position}", address, subnet.cidr)
    for prefix in router.networks:
        owner = prefix.network_address + min(200, prefix.num_addresses - 1)
        lines.append(f"address add {owner}/{prefix.prefixlen} dev lo")
    lines += _uplink_routes()
    sysctls = {**FORWARDING_SYSCTLS, **ONE_CLOCK_SYSCTLS, "net.ipv4.fib_multipath_hash_policy": "0"}
    if spec.ecmp.hash_seed is not None:
        sysctls["-net.ipv4.fib_multipath_hash_seed"] = str(spec.ecmp.hash_seed)
    return HostWiring(router.name, tuple(links), tuple(lines), sysctls)


def _node(number: int, cluster: ClusterSpec, node: Node, spec: LabSpec, bridges: dict[str, str]) -> HostWiring:
    subnet = spec.subnet_of(node.address)
    links = (_uplink(f"n{number}"), Link(f"n{number}e1", "eth1", bridges[subnet.name]))
    lines = _common_lines() + _interface("eth1", node.address, subnet.cidr)
    lines += _uplink_routes()
    lines += [f"route add {route.prefix} via {route.via} dev eth1" for route in subnet_routes(spec, node)]
    if cluster.cilium_installed:
        lines += _pod_network(cluster, node, subnet)
    return HostWiring(node.name, links, tuple(lines), dict(FORWARDING_SYSCTLS))


def _pod_network(cluster: ClusterSpec, node: Node, subnet: Subnet) -> list[str]:
    """What Cilium's agent does; where it is installed later, the agents do it then (agents/pod_network.py)."""
    lines = [
        f"route add {other.pod_cidr} via {other.address} dev eth1"  # Cilium: autoDirectNodeRoutes, on-link nodes only
        for other in cluster.nodes
        if other != node and other.address in subnet.cidr
    ]
    # The node's own address in the pod network (Cilium's cilium_host): pods' gateway, source for pods on this node.
    return [*lines, f"address add {node.pod_cidr.network_address + 1}/32 dev lo"]


def _uplink(prefix: str) -> Link:
    return Link(f"{prefix}e0", "eth0", None)


def _common_lines() -> list[str]:
    return [
        "link set lo up",
        "link set eth0 up",
        f"address add {UPLINK_ADDRESS} dev eth0",
        f"neighbour replace {UPLINK_GATEWAY} lladdr {UPLINK_GATEWAY_MAC} nud permanent dev eth0",
    ]


def _uplink_routes() -> list[str]:
    return [f"route add default via {UPLINK_GATEWAY} dev eth0"]


def _interface(name: str, address: IPv4Address, network: IPv4Network) -> list[str]:
    return [f"link set {name} up", f"address add {address}/{network.prefixlen} broadcast + dev {name}"]
