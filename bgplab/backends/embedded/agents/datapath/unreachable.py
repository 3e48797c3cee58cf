"""Say a second time that nobody is left behind a Service, so that every connect() fails at once.

The kernel's own rejection (`ruleset.py`) comes back while a blocking connect() still holds its socket. Then the ICMP
error is only noted, and acted upon when the SYN is sent again, a second later (tcp_v4_err, `sock_owned_by_user`). So
the packet is logged as well, and the one who reads the log answers again, a moment later. Cilium's socket load
balancer needs none of it: there connect() itself fails.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
import threading
import time

from bgplab.backends.embedded.agents import netlink
from bgplab.backends.embedded.agents.flows.packet import PACKET, parse_logged, subscription
from bgplab.backends.embedded.agents.loop import SocketLoop
from bgplab.backends.embedded.agents.netns import socket_in
from bgplab.backends.embedded.hosts.handle import HostHandle

GROUP = 8

#: More than this are left to the kernel's own answer: a load test must not keep the daemon busy with its failures.
LOGGED_PER_SECOND, LOGGED_AT_ONCE = 1000, 1000

#: What the table has before its rejection.
RULE = f"limit rate {LOGGED_PER_SECOND}/second burst {LOGGED_AT_ONCE} packets log group {GROUP}"

HANDOVER_SECONDS = 2.0

_UNREACHABLE, _HOST = 3, 1  # RFC 792
_READS_AT_ONCE = 64


def host_unreachable(packet: bytes) -> bytes:
    """The ICMP message that answers an IPv4 packet: its header and the first eight bytes of its payload (RFC 792)."""
    quoted = packet[: (packet[0] & 0x0F) * 4 + 8]
    blank = struct.pack("!BBHI", _UNREACHABLE, _HOST, 0, 0) + quoted
    return blank[:2] + struct.pack("!H", _checksum(blank)) + blank[4:]


def _checksum(data: bytes) -> int:
    """RFC 1071."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data[: len(data) // 2 * 2]))
    total += (data[-1] << 8) if len(data) % 2 else 0
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class UnreachableAnswers:
    """For all nodes of a cluster, in one thread."""

    def __init__(self, stop: threading.Event) -> None:
        self._loop = SocketLoop("unreachable", stop)
        self._links: dict[str, tuple[socket.socket, socket.socket]] = {}

    def watch(self, name: str, host: HostHandle) -> None:
        """Answer on a node from now on. Repeatable. Raises OSError when the kernel's log cannot be opened."""
        if name in self._links:
            return
        log = socket_in(host.netns, _subscribed)
        answers = socket_in(host.netns, lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP))
        self._links[name] = log, answers
        self._loop.do(lambda: self._loop.add(log, lambda: self._read(log, answers)))

    def _read(self, log: socket.socket, answers: socket.socket) -> None:
        for _ in range(_READS_AT_ONCE):
            try:
                datagram = log.recv(1 << 16)
            except OSError:  # nothing more, or the kernel had more than the socket could take
                return
            for message in netlink.messages(datagram):
                logged = parse_logged(message.body) if message.kind == PACKET else None
                if logged and len(logged.payload) >= 28:
                    client = socket.inet_ntoa(logged.payload[12:16])
                    with contextlib.suppress(OSError):  # a client that is gone meanwhile
                        answers.sendto(host_unreachable(logged.payload), (client, 0))


def _subscribed() -> socket.socket:
    """A socket that receives what its namespace logs to GROUP, each packet at once.

    A group has one reader. One that goes may still hold it for a moment; the kernel says EPERM then.
    """
    until = time.monotonic() + HANDOVER_SECONDS
    while True:
        link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, netlink.NETLINK_NETFILTER)
        number = _bind(link)
        if number == 0:
            link.setblocking(False)
            return link
        link.close()
        if number != errno.EPERM or time.monotonic() > until:
            raise OSError(number, "the kernel's packet log (nfnetlink_log) could not be opened")
        time.sleep(0.01)


def _bind(link: socket.socket) -> int:
    """The first error number, 0 when the kernel agreed to all of it."""
    link.settimeout(2.0)
    for request in subscription(GROUP, 1, 1):
        link.send(request)
        (answer,) = netlink.messages(link.recv(4096))
        number = netlink.error_of(answer)
        if number:
            return number
    return 0
