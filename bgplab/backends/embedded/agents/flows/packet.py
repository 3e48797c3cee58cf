"""What the kernel logs of a packet (linux/nfnetlink_log.h), and the TCP segment in it: bytes in, values out."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address

from bgplab.backends.embedded.agents import netlink

PACKET, CONFIG = (4 << 8) | 0, (4 << 8) | 1  # NFNL_SUBSYS_ULOG
_TIMESTAMP, _PAYLOAD, _PREFIX = 3, 9, 10
_COMMAND, _MODE, _TIMEOUT, _THRESHOLD = 1, 2, 4, 5
_BIND, _COPY_PACKET = 1, 2

#: An IP and a TCP header without options; more is not looked at.
COPIED_BYTES = 60

REPLY_PREFIX = "reply"

_TCP = 6

#: In the order in which Hubble names them.
FLAGS = (("SYN", 0x02), ("ACK", 0x10), ("RST", 0x04), ("FIN", 0x01), ("PSH", 0x08), ("URG", 0x20))


@dataclass(frozen=True, slots=True)
class Logged:
    """One packet as logged. seconds: when the kernel saw it.

    None where it does not say: packets that the node itself sent.
    """

    payload: bytes
    reply: bool
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Segment:
    """The ends and flags of a TCP segment."""

    source: IPv4Address
    destination: IPv4Address
    source_port: int
    destination_port: int
    flags: tuple[str, ...]


def subscription(group: int, batch: int, timeout_hundredths: int) -> list[bytes]:
    """Requests that make a socket receive what is logged to a group, `batch` packets at once or after the time-out."""
    mode = struct.pack("!IBx", COPIED_BYTES, _COPY_PACKET)
    bodies = (
        netlink.attribute(_COMMAND, struct.pack("B", _BIND)),
        netlink.attribute(_MODE, mode),
        netlink.attribute(_TIMEOUT, struct.pack("!I", timeout_hundredths)),
        netlink.attribute(_THRESHOLD, struct.pack("!I", batch)),
    )
    return [netlink.message(CONFIG, netlink.REQUEST | netlink.ACK, body, number=group) for body in bodies]


def parse_logged(body: bytes) -> Logged | None:
    """A PACKET message's body; None when it carries no packet."""
    parts = netlink.attributes(body)
    payload = parts.get(_PAYLOAD)
    if payload is None:
        return None
    stamp = parts.get(_TIMESTAMP)
    seconds = None
    if stamp and len(stamp) == 16:
        whole, micro = struct.unpack("!QQ", stamp)
        seconds = whole + micro / 1e6
    return Logged(payload, parts.get(_PREFIX, b"").startswith(REPLY_PREFIX.encode()), seconds)


def parse_segment(payload: bytes) -> Segment | None:
    """An IPv4 packet's TCP ends; None when it is none, or cut before its flags."""
    if len(payload) < 20 or payload[0] >> 4 != 4 or payload[9] != _TCP:
        return None
    at = (payload[0] & 0x0F) * 4
    if len(payload) < at + 14:
        return None
    source_port, destination_port = struct.unpack_from("!HH", payload, at)
    flags = payload[at + 13]
    return Segment(
        IPv4Address(payload[12:16]),
        IPv4Address(payload[16:20]),
        source_port,
        destination_port,
        tuple(name for name, bit in FLAGS if flags & bit),
    )
