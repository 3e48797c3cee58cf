"""Which interfaces, addresses and routes a lab has, as data; `planning.py` makes it out of a description.

Every host has eth0, a silent uplink that answers nobody (as a VM's NAT interface does for lab addresses), and one
interface per subnet: eth1, eth2, … A node's default route is the uplink, never the router; the other *node* subnets
are routed through the router, both ways (facts: otherwise G06 or G14 cannot hold).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

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

#: What a node's namespace must be set to before the first connection; all writable without root.
NODE_SYSCTLS: dict[str, str] = {
    "net.ipv4.ip_forward": "1",
    "net.ipv4.conf.all.rp_filter": "0",
    "net.ipv4.conf.default.rp_filter": "0",
    "net.ipv4.conf.all.send_redirects": "0",
    "net.ipv4.conf.default.send_redirects": "0",
    # "No route to host" must come for every refused connection, not six times a second (icmp_ratelimit).
    "net.ipv4.icmp_ratemask": "0",
    # A load test leaves 10,000 closed connections a second behind; the table holds 262,144 for the whole machine.
    "net.netfilter.nf_conntrack_tcp_timeout_time_wait": "1",
    "net.netfilter.nf_conntrack_tcp_timeout_close": "1",
    "net.netfilter.nf_conntrack_tcp_timeout_syn_sent": "30",
    # A packet in the middle of an unknown connection is nobody's: an entry for it would shadow the next real one.
    "net.netfilter.nf_conntrack_tcp_loose": "0",
    "net.netfilter.nf_conntrack_tcp_be_liberal": "1",
}

#: A node's SNAT (policy Cluster) makes the router's addresses one. To a pod that has a connection from this port in
#: TIME_WAIT a new one seems old when its time stamps are another address's: 84 of 6000 timed out (RFC 7323, 5; Linux
#: ip-sysctl, tcp_timestamps: 2 is without an offset per pair of addresses).
ONE_CLOCK_SYSCTLS = {"net.ipv4.tcp_timestamps": "2"}


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


@dataclass(frozen=True, slots=True)
class Wiring:
    """bridges: one per subnet, named by position so that no name grows past the kernel's 15 characters."""

    bridges: tuple[str, ...]
    hosts: tuple[HostWiring, ...]

    @classmethod
    def of(cls, given: dict[str, Any]) -> Wiring:
        """From JSON."""
        hosts = (
            HostWiring(one["name"], tuple(Link(**link) for link in one["links"]), tuple(one["lines"]), one["sysctls"])
            for one in given["hosts"]
        )
        return cls(tuple(given["bridges"]), tuple(hosts))
