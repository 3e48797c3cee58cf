"""Connection tracking entries of a node: read and deleted over netlink, judged by a pure function.

The conntrack tool would do, but it reads the whole table once per entry to delete.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from bgplab.backends.embedded.agents import netlink
from bgplab.backends.embedded.agents.datapath.ruleset import Frontend, Offers
from bgplab.backends.embedded.agents.netns import socket_in
from bgplab.errors import LabError

_GET, _DELETE = (1 << 8) | 1, (1 << 8) | 2  # NFNL_SUBSYS_CTNETLINK; IPCTNL_MSG_CT_GET, _DELETE
_TUPLE_ORIGINAL, _TUPLE_REPLY, _STATUS, _PROTOCOL_INFO, _ID = 1, 2, 3, 4, 12
_STATUS_DNAT = 1 << 5

_STATES = ("NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE")
_PROTOCOLS = {6: "tcp", 17: "udp", 132: "sctp"}

#: Not TIME_WAIT and CLOSE: the kernel itself lets a new SYN replace such an entry.
UNFINISHED_STATES = frozenset({"SYN_SENT", "SYN_RECV", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK"})


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
            found = [entry for entry in _entries(link) if stale(entry)]
            return sum(_delete(link, entry) for entry in found)
    except OSError as fault:
        raise LabError(f"connection tracking could not be read: {fault}") from fault


def _open() -> socket.socket:
    link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, netlink.NETLINK_NETFILTER)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    link.settimeout(5.0)
    return link


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
    parts = netlink.attributes(body)
    original, reply = _tuple(parts[_TUPLE_ORIGINAL]), _tuple(parts[_TUPLE_REPLY])
    protocol = _PROTOCOLS.get(original[0])
    if protocol is None:
        return None
    state = ""
    if protocol == "tcp" and _PROTOCOL_INFO in parts:
        number = netlink.attributes(netlink.attributes(parts[_PROTOCOL_INFO]).get(1, b"")).get(1, b"\0")[0]
        state = _STATES[number] if number < len(_STATES) else "SYN_SENT"  # 9: both sides sent a SYN
    name = netlink.attribute(_TUPLE_ORIGINAL, parts[_TUPLE_ORIGINAL], nested=True)
    return Entry(
        protocol,
        source=original[1],
        destination=original[2],
        port=original[3],
        backend=reply[1],
        backend_port=reply[4],
        translated=bool(struct.unpack("!I", parts[_STATUS])[0] & _STATUS_DNAT),
        state=state,
        raw=name + netlink.attribute(_ID, parts[_ID]),
    )


def _tuple(data: bytes) -> tuple[int, IPv4Address, IPv4Address, int, int]:
    """(protocol number, source, destination, destination port, source port)"""
    parts = netlink.attributes(data)
    addresses, protocol = netlink.attributes(parts[1]), netlink.attributes(parts[2])
    ports = [int.from_bytes(protocol.get(kind, b"\0\0")) for kind in (3, 2)]
    return protocol[1][0], IPv4Address(addresses[1]), IPv4Address(addresses[2]), ports[0], ports[1]


def _delete(link: socket.socket, entry: Entry) -> int:
    link.send(netlink.message(_DELETE, netlink.REQUEST | netlink.ACK, entry.raw))
    (answer,) = netlink.messages(link.recv(1 << 16))
    number = netlink.error_of(answer)
    if number not in (0, errno.ENOENT):
        raise OSError(number, os.strerror(number))
    return int(number == 0)
