"""What a node's BGP control plane should run, and what its speakers say they run: frozen data, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address
Prefix = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True, order=True)
class Family:
    """An address family by Cilium's names: `Family("ipv4", "unicast")`."""

    afi: str
    safi: str = "unicast"

    def __str__(self) -> str:
        return f"{self.afi}/{self.safi}"


IPV4_UNICAST = Family("ipv4")
IPV6_UNICAST = Family("ipv6")


def family_of(prefix: Prefix) -> Family:
    return IPV4_UNICAST if prefix.version == 4 else IPV6_UNICAST


@dataclass(frozen=True, slots=True)
class Timers:
    """BGP timers in seconds, as a CiliumBGPPeerConfig has them; the defaults are the CRD's."""

    connect_retry_seconds: int = 120
    hold_seconds: int = 90
    keepalive_seconds: int = 30


@dataclass(frozen=True, slots=True)
class Peer:
    """A neighbour as a speaker is told about it.

    asn: 0 takes the number from the neighbour's OPEN. multihop_ttl: 1 is off. restart_seconds: graceful restart
    (RFC 4724); None is off. local_address: None leaves the choice to the kernel.
    """

    name: str
    address: Address
    asn: int
    port: int = 179
    local_address: Address | None = None
    multihop_ttl: int = 1
    timers: Timers = Timers()
    restart_seconds: int | None = None
    families: tuple[Family, ...] = (IPV4_UNICAST, IPV6_UNICAST)
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, order=True)
class PrefixMatch:
    """A prefix and the lengths it matches: `172.16.1.1/32 (32..32)`."""

    cidr: str
    shortest: int
    longest: int


@dataclass(frozen=True, slots=True)
class Statement:
    """One line of a route policy. neighbors: as prefixes (`192.168.10.200/32`)."""

    neighbors: tuple[str, ...]
    prefixes: tuple[PrefixMatch, ...]
    action: str = "accept"
    local_preference: int | None = None
    communities: tuple[str, ...] = ()
    large_communities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """A named route policy; `direction` is `export` or `import`."""

    name: str
    statements: tuple[Statement, ...]
    direction: str = "export"


@dataclass(frozen=True, slots=True)
class Server:
    """What a speaker cannot change while it runs. listen_port: -1 listens on nothing."""

    asn: int
    router_id: str
    listen_port: int = -1


@dataclass(frozen=True, slots=True)
class Instance:
    """One BGP instance of a node: a speaker with its paths, export policies and peers.

    peers is None when they could not be told (a broken secret, say): then those that run are left alone.
    """

    name: str
    server: Server
    paths: frozenset[Prefix] = frozenset()
    policies: tuple[Policy, ...] = ()
    peers: tuple[Peer, ...] | None = ()


@dataclass(frozen=True, slots=True)
class Desired:
    """All instances a node should run.

    errors: (instance, what), for the node config's condition. unable: (instance, why), for the log only: Cilium
    reports an instance that cannot start nowhere else.
    """

    instances: tuple[Instance, ...] = ()
    errors: tuple[tuple[str, str], ...] = ()
    unable: tuple[tuple[str, str], ...] = ()


class SessionState(Enum):
    """RFC 4271, 8.2.2, by Cilium's names; the values are GoBGP's numbers."""

    UNKNOWN = 0
    IDLE = 1
    CONNECT = 2
    ACTIVE = 3
    OPEN_SENT = 4
    OPEN_CONFIRM = 5
    ESTABLISHED = 6

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class FamilyCount:
    """Routes of one family on one session. advertised counts the End-of-RIB marker as well, as GoBGP does."""

    family: Family
    received: int
    accepted: int
    advertised: int


@dataclass(frozen=True, slots=True)
class Session:
    """A peer as its speaker reports it (GoBGP's ListPeer). established_at: None unless Established."""

    local_asn: int
    peer_asn: int
    address: str
    port: int
    state: SessionState
    established_at: datetime | None
    configured: Timers
    applied_hold_seconds: int
    applied_keepalive_seconds: int
    multihop_ttl: int
    password: bool
    restart_seconds: int | None
    families: tuple[FamilyCount, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """One path in a speaker's table. nlri and attributes are wire format (RFC 4271, 4.3)."""

    prefix: str
    family: Family
    nlri: bytes
    attributes: tuple[bytes, ...]
    since: datetime
    best: bool
    stale: bool = False


@dataclass(frozen=True, slots=True)
class SessionChange:
    """Something happened on a speaker's sessions: a new state, or a neighbour's End-of-RIB (state None)."""

    address: str
    state: SessionState | None
