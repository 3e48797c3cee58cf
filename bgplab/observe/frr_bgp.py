"""What a router's `vtysh -c 'show bgp … json'` prints (FRR 8.4; shapes: facts/frr.md 9.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from bgplab.lab.shell import Shell
from bgplab.observe.foreign import parse_object
from bgplab.observe.side_by_side import by_name

SUMMARY = "show bgp ipv4 unicast summary json"
TABLE = "show bgp ipv4 unicast json"
NEIGHBORS = "show bgp neighbors json"


@dataclass(frozen=True, slots=True)
class SummaryPeer:
    """One line of the summary. remote_as is 0 with `remote-as external` until the first OPEN.

    prefixes stays at its old number while FRR holds stale paths (RFC 4724 helper).
    """

    address: IPv4Address
    state: str
    remote_as: int
    prefixes: int
    established: int
    dropped: int


@dataclass(frozen=True, slots=True)
class BgpSummary:
    """router_id and asn are None while there is no `router bgp`."""

    router_id: IPv4Address | None
    asn: int | None
    peers: tuple[SummaryPeer, ...]


@dataclass(frozen=True, slots=True)
class BgpSummaries:
    by_router: Mapping[str, BgpSummary]


@dataclass(frozen=True, slots=True)
class BgpPath:
    """One path of the BGP table. peer is None for the router's own networks."""

    prefix: IPv4Network
    next_hop: IPv4Address
    peer: IPv4Address | None
    valid: bool = True
    external: bool = True
    best: bool = False
    multipath: bool = False
    stale: bool = False
    selection_reason: str | None = None

    @property
    def in_use(self) -> bool:
        """Whether zebra gets it as a next hop."""
        return self.best or self.multipath


@dataclass(frozen=True, slots=True)
class BgpTable:
    """`show bgp ipv4 unicast json`."""

    all_paths: tuple[BgpPath, ...]

    def paths(self, prefix: IPv4Network) -> tuple[BgpPath, ...]:
        return tuple(path for path in self.all_paths if path.prefix == prefix)


@dataclass(frozen=True, slots=True)
class BgpTables:
    by_router: Mapping[str, BgpTable]


@dataclass(frozen=True, slots=True)
class Neighbor:
    """One session as FRR reports it (`show bgp neighbors json`).

    hold_seconds, keepalive_seconds: negotiated (RFC 4271, 4.2; FRR prints ms). established_at: seconds since the epoch.
    end_of_rib: received for IPv4 unicast. last_reset: overwritten as soon as the session is up again.
    """

    address: IPv4Address
    state: str
    hold_seconds: float
    keepalive_seconds: float
    established_at: float | None
    end_of_rib: bool
    last_reset: str | None


@dataclass(frozen=True, slots=True)
class Neighbors:
    by_router: Mapping[str, tuple[Neighbor, ...]]


def vtysh(*commands: str) -> list[str]:
    """The argv of one vtysh session; it stops at the first command that fails."""
    return ["vtysh", *(word for command in commands for word in ("-c", command))]


def read_summaries(routers: Mapping[str, Shell]) -> BgpSummaries:
    return BgpSummaries(by_name(lambda router: parse_summary(router.run(vtysh(SUMMARY)).stdout), routers))


def read_tables(routers: Mapping[str, Shell]) -> BgpTables:
    return BgpTables(by_name(lambda router: parse_table(router.run(vtysh(TABLE)).stdout), routers))


def read_neighbors(routers: Mapping[str, Shell]) -> Neighbors:
    return Neighbors(by_name(lambda router: parse_neighbors(router.run(vtysh(NEIGHBORS)).stdout), routers))


def parse_summary(text: str) -> BgpSummary:
    given = _without_remarks(text, SUMMARY)
    given = given.get("ipv4Unicast", given)
    peers = given.get("peers") or {}
    return BgpSummary(
        IPv4Address(given["routerId"]) if "routerId" in given else None,
        given.get("as"),
        tuple(_summary_peer(IPv4Address(address), peer) for address, peer in peers.items()),
    )


def _summary_peer(address: IPv4Address, peer: dict[str, Any]) -> SummaryPeer:
    return SummaryPeer(
        address,
        peer["state"],
        peer.get("remoteAs", 0),
        peer.get("pfxRcd", 0),
        peer.get("connectionsEstablished", 0),
        peer.get("connectionsDropped", 0),
    )


def parse_table(text: str) -> BgpTable:
    routes = _without_remarks(text, TABLE).get("routes") or {}
    return BgpTable(tuple(_path(IPv4Network(prefix), entry) for prefix, paths in routes.items() for entry in paths))


def _path(prefix: IPv4Network, entry: dict[str, Any]) -> BgpPath:
    """A false flag is absent, except an invalid path's `valid: false`."""
    peer = entry.get("peerId", "(unspec)")
    return BgpPath(
        prefix,
        IPv4Address(entry["nexthops"][0]["ip"]),
        IPv4Address(peer) if peer != "(unspec)" else None,
        valid=bool(entry.get("valid")),
        external=entry.get("pathFrom") == "external",
        best=bool(entry.get("bestpath")),
        multipath=bool(entry.get("multipath")),
        stale=bool(entry.get("stale")),
        selection_reason=entry.get("selectionReason"),
    )


def parse_neighbors(text: str) -> tuple[Neighbor, ...]:
    given = _without_remarks(text, NEIGHBORS)
    return tuple(_neighbor(address, entry) for address, entry in given.items() if isinstance(entry, dict))


def _neighbor(address: str, entry: dict[str, Any]) -> Neighbor:
    restart = entry.get("gracefulRestartInfo") or {}
    established = entry.get("bgpTimerUpEstablishedEpoch")
    up = entry.get("bgpState") == "Established"
    return Neighbor(
        IPv4Address(address),
        entry.get("bgpState", "Idle"),
        entry.get("bgpTimerHoldTimeMsecs", 0) / 1000 if up else 0,
        entry.get("bgpTimerKeepAliveIntervalMsecs", 0) / 1000 if up else 0,
        float(established) if up and established is not None else None,
        bool((restart.get("endOfRibRecv") or {}).get("ipv4Unicast")),
        entry.get("lastResetDueTo"),
    )


def _without_remarks(text: str, command: str) -> dict[str, Any]:
    """vtysh may print a remark instead of an object: `% BGP instance not found`, `% No BGP neighbors found …`."""
    if text.lstrip().startswith("%") and "{" not in text:
        return {}
    return parse_object(text[text.find("{") :] if "{" in text else text, command)
