"""The lab that all contenders build, as plain data, and what they share: the speakers' set-up and the clock.

Three nodes and a router, two subnets; FRR with three neighbours, one gobgpd per node that announces its pod CIDR and a
common /32. Order as in the guide: the router is configured first, then the nodes' speakers are told whom to dial.
Standard library only, but for `Speakers`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

VIP = "172.16.1.1"
ROUTER_ADDRESSES = {"br0": "192.168.10.200", "br1": "192.168.20.200"}
ROUTER = ROUTER_ADDRESSES["br0"]
SERVED = "10.10.1.200/24"


@dataclass(frozen=True, slots=True)
class Node:
    name: str
    bridge: str
    address: str
    pods: str
    #: The other node subnet goes through the router.
    beyond: str
    via: str


NODES = (
    Node("ctr", "br0", "192.168.10.100", "172.20.0.0/24", "192.168.20.0/24", "192.168.10.200"),
    Node("w1", "br0", "192.168.10.101", "172.20.1.0/24", "192.168.20.0/24", "192.168.10.200"),
    Node("w0", "br1", "192.168.20.100", "172.20.2.0/24", "192.168.10.0/24", "192.168.20.200"),
)

FRR_CONFIG = """\
frr defaults traditional
hostname router
no ipv6 forwarding
service integrated-vtysh-config
router bgp 65000
 bgp router-id 192.168.10.200
 no bgp ebgp-requires-policy
 bgp graceful-restart
 bgp bestpath as-path multipath-relax
 address-family ipv4 unicast
  network 10.10.1.0/24
  maximum-paths 4
 exit-address-family
exit
"""

#: Typed into vtysh once FRR runs, as the guide does (G08).
NEIGHBOURS = [
    "configure terminal",
    "router bgp 65000",
    "neighbor CILIUM peer-group",
    "neighbor CILIUM remote-as external",
    *(f"neighbor {node.address} peer-group CILIUM" for node in NODES),
    "end",
    "write memory",
]

SYSCTLS = {
    "net.ipv6.conf.all.disable_ipv6": "1",
    "net.ipv4.conf.all.rp_filter": "0",
    "net.ipv4.conf.default.rp_filter": "0",
}
FORWARDING = {**SYSCTLS, "net.ipv4.ip_forward": "1", "net.ipv4.fib_multipath_hash_policy": "1"}
START_FRR = ["/usr/lib/frr/frrinit.sh", "start"]
STOP_FRR = ["/usr/lib/frr/frrinit.sh", "stop"]
SUMMARY = "show bgp ipv4 unicast summary json"


def gobgpd(socket: Path) -> list[str]:
    return [
        "/usr/bin/gobgpd",
        "--api-hosts",
        f"unix://{socket}",
        "--pprof-disable",
        "--metrics-path",
        "",
        "--log-plain",
    ]


def vtysh(*lines: str) -> list[str]:
    return ["vtysh", *(word for line in lines for word in ("-c", line))]


def established(summary: str) -> int:
    """How many sessions stand, by vtysh's summary."""
    given = json.loads(summary or "{}")
    return sum(peer["state"] == "Established" for peer in given.get("peers", {}).values())


def neighbours(summary: str) -> int:
    return len(json.loads(summary or "{}").get("peers", {}))


def next_hops(route: str) -> int:
    """Next hops of `ip route show`'s one route."""
    return route.count("nexthop") or route.count(" via ")


@dataclass
class Clock:
    """Moments on the monotonic clock, which all processes of the machine share."""

    stamps: dict[str, float] = field(default_factory=dict)

    def stamp(self, name: str) -> None:
        self.stamps[name] = time.monotonic()

    def say(self) -> None:
        print(json.dumps(self.stamps), flush=True)


def until(holds: Callable[[], bool], what: str, seconds: float = 20.0, every: float = 0.01) -> None:
    """Look until it is so. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(every)


class Speakers:
    """The nodes' gobgpd over gRPC, told the same as Cilium tells its own (and our agents theirs)."""

    def __init__(self, sockets: dict[str, Path]) -> None:
        from bgplab.backends.embedded.agents.bgp.client import GobgpClient

        until(lambda: all(_listens(path) for path in sockets.values()), "gobgpd listens")
        self._clients = {name: GobgpClient(path) for name, path in sockets.items()}

    def dial(self) -> None:
        """Start, paths first, peer last."""
        from bgplab.backends.embedded.agents.bgp.model import IPV4_UNICAST, Peer, Server, Timers

        router = Peer(
            "tor",
            IPv4Address(ROUTER),
            65000,
            multihop_ttl=2,
            timers=Timers(120, 9, 3),
            restart_seconds=15,
            families=(IPV4_UNICAST,),
        )
        for node in NODES:
            client = self._clients[node.name]
            client.start(Server(65001, node.address))
            for prefix in (node.pods, f"{VIP}/32"):
                client.add_path(IPv4Network(prefix))
            client.add_peer(router)

    def close(self) -> None:
        for client in self._clients.values():
            client.close()


def _listens(path: Path) -> bool:
    import socket

    with socket.socket(socket.AF_UNIX) as knock:
        try:
            knock.connect(str(path))
        except OSError:
            return False
    return True


def enter_world() -> Clock:
    """Lay out the world as the program's arguments say (userland, then layers), then start the clock."""
    from benchmarks.contenders.world import prepare

    userland, *layers = map(Path, sys.argv[1:])
    prepare(userland, layers)
    clock = Clock()
    clock.stamp("start")
    return clock
