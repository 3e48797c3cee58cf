"""Connection tracking entries of a node: read and deleted over netlink, judged by a pure function.

The conntrack tool would do, but it reads the whole table once per entry to delete.
"""

from __future__ import annotations

import errno
import functools
import os
import socket
import struct
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from bgplab.backends.embedded.agents import netlink
from bgplab.backends.embedded.agents.datapath.ruleset import Frontend, Offers
from bgplab.backends.embedded.agents.netns import socket_in
from bgplab.errors import LabError

# NFNL_SUBSYS_CTNETLINK; IPCTNL_MSG_CT_GET, _DELETE, _GET_STATS
_GET, _DELETE, _GET_STATISTICS = (1 << 8) | 1, (1 << 8) | 2, (1 << 8) | 5
_ENTRIES = 1  # CTA_STATS_GLOBAL_ENTRIES
_TUPLE_ORIGINAL, _TUPLE_REPLY, _STATUS, _PROTOCOL_INFO, _ID = 1, 2, 3, 4, 12
_STATUS_DNAT = 1 << 5

#: Source, destination, protocol, source port, destination port in a CTA_TUPLE, which the kernel always fills in this
#: order (nf_conntrack_netlink.c, ctnetlink_dump_tuples); by single attributes it took 45 µs an entry.
_TUPLE = struct.Struct("!8x4s4x4s8xB7xH6xH")

_STATES = ("NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE")
_PROTOCOLS = {6: "tcp", 17: "udp", 132: "sctp"}

#: The kernel itself lets a new SYN replace such an entry; a load test leaves thousands of them.
REPLACEABLE_STATES = frozenset({"TIME_WAIT", "CLOSE"})

UNFINISHED_STATES = frozenset({"SYN_SENT", "SYN_RECV", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK"})


_address = functools.lru_cache(4096)(IPv4Address)


@dataclass(frozen=True, slots=True)
class Entry:
    """One tracked connection. backend: who answers it.

    state: of TCP, "" otherwise. raw: what names it to the kernel.
    """

    protocol: str
    source: IPv4Address
    destination: IPv4Address
    port: int
    backend: IPv4Address
    backend_port: int
    translated: bool
    state: str
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class Judged:
    """By what a node's entries were judged last. endpoints: who is somebody's backend, ready or not.

    lingering: those of them that lost a frontend. Connections to one may go on until they begin to end (`is_stale`).
    """

    offers: Offers = field(default_factory=Offers)
    endpoints: frozenset[IPv4Address] = frozenset()
    lingering: frozenset[IPv4Address] = frozenset()

    def after(self, offers: Offers, endpoints: frozenset[IPv4Address]) -> Judged:
        """By what they are to be judged now."""
        lost = {
            address
            for offered, targets in self.offers.behind.items()
            if targets is not offers.behind.get(offered)
            for address, _ in targets - offers.behind.get(offered, frozenset())
        }
        return Judged(offers, endpoints, (self.lingering | lost) & endpoints)

    def contradicts(self, before: Judged) -> bool:
        """Whether an entry can be stale that was right before. Where Services have only grown none can: nobody looks
        through the kernel's table, whose quarter of a million buckets take milliseconds."""
        fewer = before.endpoints - self.endpoints
        return bool(fewer or self.lingering or self.offers.virtual - before.offers.virtual)


def is_stale(entry: Entry, offers: Offers, endpoints: Container[IPv4Address]) -> bool:
    """Whether a new connection would not be made this way, and this one must not go on.

    An established connection keeps its backend as long as that is an endpoint of anything. One half open or half
    closed does not: its client would go on sending into a void, or a reused port would reach the old pod (facts: 2-4
    of 1,200 did).
    """
    if entry.translated and entry.backend not in endpoints:
        return True
    if entry.protocol == "tcp" and entry.state not in UNFINISHED_STATES:
        return False
    if not entry.translated:
        # Who called before there was a Service has an entry that leads nowhere, and keeps using it.
        return entry.destination in offers.virtual
    behind = offers.backends_of(entry.source, Frontend(entry.destination, entry.protocol, entry.port))
    return behind is not None and (entry.backend, entry.backend_port) not in behind


def delete_stale(netns: int, stale: Callable[[Entry], bool]) -> int:
    """Delete a namespace's entries that `stale` names; returns how many. Raises LabError."""
    try:
        with socket_in(netns, _open) as link:
            if _count(link) == 0:
                return 0  # counting is free, looking is not: all namespaces' entries lie in one table
            found = [entry for entry in _entries(link) if stale(entry)]
            return sum(_delete(link, entry) for entry in found)
    except OSError as fault:
        raise LabError(f"connection tracking could not be read: {fault}") from fault


def _open() -> socket.socket:
    link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, netlink.NETLINK_NETFILTER)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    link.settimeout(5.0)
    return link


def _count(link: socket.socket) -> int:
    """How many entries the namespace has."""
    link.send(netlink.message(_GET_STATISTICS, netlink.REQUEST, b""))
    (answer,) = netlink.messages(link.recv(1 << 16))
    if answer.kind == netlink.ERROR:
        number = netlink.error_of(answer)
        raise OSError(number, os.strerror(number))
    return int.from_bytes(netlink.attributes(answer.body)[_ENTRIES])


def _entries(link: socket.socket) -> Iterator[Entry]:
    link.send(netlink.message(_GET, netlink.REQUEST | netlink.DUMP, b""))
    while True:
        for answer in netlink.messages(link.recv(1 << 17)):
            if answer.kind == netlink.DONE:
                return
            if answer.kind == netlink.ERROR:
                number = netlink.error_of(answer)
                raise OSError(number, os.strerror(number))
            entry = _entry(answer.body)
            if entry:
                yield entry


def _entry(body: bytes) -> Entry | None:
    """An entry that may matter to us: not one of another protocol, nor one that the next SYN replaces anyway."""
    parts = netlink.attributes(body)
    source, destination, number, _, port = _TUPLE.unpack_from(parts[_TUPLE_ORIGINAL])
    protocol = _PROTOCOLS.get(number)
    state = _tcp_state(parts[_PROTOCOL_INFO]) if protocol == "tcp" and _PROTOCOL_INFO in parts else ""
    if protocol is None or state in REPLACEABLE_STATES:
        return None
    backend, _, _, backend_port, _ = _TUPLE.unpack_from(parts[_TUPLE_REPLY])
    name = netlink.attribute(_TUPLE_ORIGINAL, parts[_TUPLE_ORIGINAL], nested=True)
    return Entry(
        protocol,
        _address(source),
        _address(destination),
        port,
        _address(backend),
        backend_port,
        bool(int.from_bytes(parts[_STATUS]) & _STATUS_DNAT),
        state,
        name + netlink.attribute(_ID, parts[_ID]),
    )


def _tcp_state(information: bytes) -> str:
    # nested twice: CTA_PROTOINFO_TCP, CTA_PROTOINFO_TCP_STATE
    number = netlink.attributes(netlink.attributes(information).get(1, b"")).get(1, b"\0")[0]
    return _STATES[number] if number < len(_STATES) else "SYN_SENT"  # 9: both sides sent a SYN


def _delete(link: socket.socket, entry: Entry) -> int:
    link.send(netlink.message(_DELETE, netlink.REQUEST | netlink.ACK, entry.raw))
    (answer,) = netlink.messages(link.recv(1 << 16))
    number = netlink.error_of(answer)
    if number not in (0, errno.ENOENT):
        raise OSError(number, os.strerror(number))
    return int(number == 0)
