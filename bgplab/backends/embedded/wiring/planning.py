"""From the description to its wiring: pure, no lab needed. Runs in the launcher."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

from bgplab.backends.embedded.wiring.plan import (
    FORWARDING_SYSCTLS,
    NODE_SYSCTLS,
    ONE_CLOCK_SYSCTLS,
    UPLINK_ADDRESS,
    UPLINK_GATEWAY,
    UPLINK_GATEWAY_MAC,
    HostWiring,
    Link,
    Wiring,
)
from bgplab.spec.derived import subnet_routes
from bgplab.spec.model import ClusterSpec, LabSpec, Node, Router, Subnet


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
    return HostWiring(node.name, links, tuple(lines), {**FORWARDING_SYSCTLS, **NODE_SYSCTLS})


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
