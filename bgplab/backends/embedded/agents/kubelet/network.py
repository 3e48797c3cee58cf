"""A pod's link to its node: a veth pair, routed; the node's address in the pod network is the pod's gateway."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from ipaddress import IPv4Address

from bgplab.backends.embedded.hosts.switchboard import Host
from bgplab.backends.embedded.wiring.apply import run_batch


def interface_of(uid: str) -> str:
    """`lxc` and twelve hex digits, as Cilium names a pod's host side; never past the kernel's 15 characters."""
    return "lxc" + hashlib.sha256(uid.encode()).hexdigest()[:12]


def connect_pod(
    ip: Sequence[str], node: Host, pod: Host, interface: str, address: IPv4Address, gateway: IPv4Address
) -> None:
    """Make the pair from the lab's own namespace, both ends elsewhere, then set up each end from its own side."""
    here, there = (f"netns /proc/self/fd/{host.netns}" for host in (node, pod))
    between = f"link add {interface} {here} type veth peer name eth0 {there}"
    run_batch(ip, [between], [node.netns, pod.netns])
    pod_lines = [
        "link set lo up",
        "link set eth0 up",
        f"address add {address}/32 dev eth0",
        f"route add {gateway} dev eth0 scope link",
        f"route add default via {gateway} dev eth0",
    ]
    node_lines = [f"link set {interface} up", f"route add {address}/32 dev {interface} src {gateway}"]
    pod.run(["ip", "-batch", "-"], stdin="\n".join(pod_lines).encode())
    node.run(["ip", "-batch", "-"], stdin="\n".join(node_lines).encode())
