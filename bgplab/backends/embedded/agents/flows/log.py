"""The flow log of nodes: the kernel logs pods' TCP segments that open, feed or end a connection, one thread reads them.

Logged where a node forwards, behind the translation of services: there both ends are pods, as Hubble shows them, and
each packet passes once. (A packet socket on the client's interface would show the service's address instead.) The
kernel itself drops what comes faster than LOGGED_PER_SECOND and counts it, so a load test costs this thread nothing.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from bgplab.backends.embedded.agents import netlink
from bgplab.backends.embedded.agents.flows import hubble
from bgplab.backends.embedded.agents.flows.flow import Flow, Seen, flow_of
from bgplab.backends.embedded.agents.flows.packet import PACKET, REPLY_PREFIX, parse_logged, subscription
from bgplab.backends.embedded.agents.flows.parties import Book, book_of
from bgplab.backends.embedded.agents.loop import SocketLoop
from bgplab.backends.embedded.agents.netns import socket_in
from bgplab.backends.embedded.controllers.runtime import Informers
from bgplab.backends.embedded.hosts.handle import HostHandle
from bgplab.errors import LabError
from bgplab.lab.cluster import NODE, POD, Manifest

RING_SIZE = 4095  # Hubble's default
GROUP = 7
LOGGED_PER_SECOND, LOGGED_AT_ONCE = 500, 2000
_BATCH, _TIMEOUT_HUNDREDTHS = 16, 1
_READS_AT_ONCE = 32

_SEGMENTS = f"""\
        tcp flags & (fin | syn | rst | psh) == 0x0 return
        limit rate over {LOGGED_PER_SECOND}/second burst {LOGGED_AT_ONCE} packets counter name lost return
        ct direction original log prefix "original" group {GROUP}
        ct direction reply log prefix "{REPLY_PREFIX}" group {GROUP}"""

#: Priority 10: behind the data path's own verdicts, before source addresses are translated.
NFT_TABLE = f"""\
add table ip bgplab_flows
delete table ip bgplab_flows
table ip bgplab_flows {{
    counter lost {{ }}
    chain segment {{
{_SEGMENTS}
    }}
    chain forward {{
        type filter hook forward priority 10; policy accept;
        iifname "lxc*" meta l4proto tcp goto segment
        oifname "lxc*" meta l4proto tcp goto segment
    }}
    chain from_node {{
        type filter hook postrouting priority 10; policy accept;
        oifname "lxc*" fib saddr type local meta l4proto tcp goto segment
    }}
    chain to_node {{
        type filter hook input priority 10; policy accept;
        iifname "lxc*" meta l4proto tcp goto segment
    }}
}}
"""


@dataclass(slots=True)
class _Node:
    name: str
    host: HostHandle
    link: socket.socket
    ring: deque[Seen] = field(default_factory=lambda: deque(maxlen=RING_SIZE))
    overruns: int = 0


class FlowLog:
    """Flow logs of all nodes of a cluster, and the answers to `hubble` on each."""

    def __init__(self, informers: Informers, stop: threading.Event, cluster_name: str = "default") -> None:
        self._pods, self._nodes_informer = informers.of(POD), informers.of(NODE)
        self._cluster_name = cluster_name
        self._nodes: dict[str, _Node] = {}
        self._change, self._book_change = 0, -1
        self._book: Book = {}
        self._lock = threading.Lock()
        self._loop = SocketLoop("flow-log", stop)
        self._pods.subscribe(self._changed)
        self._nodes_informer.subscribe(self._changed)

    def watch(self, name: str, host: HostHandle) -> None:
        """Log a node's flows from now on."""
        link = socket_in(host.netns, _subscribed)
        try:
            host.run(["nft", "-f", "-"], stdin=NFT_TABLE.encode())
        except LabError:
            link.close()
            raise
        node = self._nodes[name] = _Node(name, host, link)
        self._loop.do(lambda: self._loop.add(link, lambda: self._read(node)))

    def remove(self, name: str) -> None:
        """Forget a node and its flows."""
        node = self._nodes.pop(name, None)
        if node is not None:
            self._loop.do(lambda: self._loop.close(node.link))

    def flows(self, name: str) -> list[Flow]:
        """A node's flows, oldest first."""
        decoded = (flow_of(seen, name) for seen in list(self._nodes[name].ring))
        return [flow for flow in decoded if flow is not None]

    def lost(self, name: str) -> int:
        """Packets of a node that were not logged, because they came too fast."""
        node = self._nodes[name]
        listed = node.host.run(["nft", "-j", "list", "counter", "ip", "bgplab_flows", "lost"]).stdout
        counters = [entry["counter"]["packets"] for entry in json.loads(listed)["nftables"] if "counter" in entry]
        return node.overruns + sum(counters)

    def observe(self, name: str, argv: Sequence[str]) -> tuple[int, str, str]:
        """Answer `hubble …` on a node: exit status, standard output, standard error. Lost packets are told there."""
        if name not in self._nodes:
            return 1, "", f"Error: no flows are logged on {name}\n"
        match list(argv):
            case ["hubble", "observe", *arguments]:
                return self._observe(name, arguments)
            case ["hubble", "status", *_]:
                return 0, self._status(name), ""
        return (
            1,
            "",
            f"Error: `{' '.join(argv)}` is not provided in the embedded lab; `hubble observe` and `status` are\n",
        )

    def _observe(self, name: str, arguments: Sequence[str]) -> tuple[int, str, str]:
        try:
            request = hubble.parse_observe(arguments)
            chosen = hubble.selected(self.flows(name), request, time.time())
        except hubble.UsageError as fault:
            return 1, "", f"Error: {fault}\n"
        lost = self.lost(name)
        if request.output == "compact":
            told = f"EVENTS LOST: {lost} on {name} (more than {LOGGED_PER_SECOND} a second)\n" if lost else ""
            return 0, hubble.render(chosen, request.output), told
        return 0, hubble.render(chosen, request.output) + hubble.lost_as_json(lost, name), ""

    def _status(self, name: str) -> str:
        held = len(self._nodes[name].ring)
        share = 100 * held / RING_SIZE
        return (
            "Healthcheck (via unix:///var/run/cilium/hubble.sock): Ok\n"
            f"Current/Max Flows: {held:,}/{RING_SIZE:,} ({share:.2f}%)\n"
        )

    def _changed(self, old: Manifest | None, new: Manifest | None) -> None:
        with self._lock:
            self._change += 1

    def _who_is_who(self) -> Book:
        """Addresses as of now; the same object until something changes, so that flows can share it."""
        change = self._change
        if change != self._book_change:
            self._book = book_of(self._pods.list(), self._nodes_informer.list(), self._cluster_name)
            self._book_change = change
        return self._book

    def _read(self, node: _Node) -> None:
        book = self._who_is_who()
        for _ in range(_READS_AT_ONCE):
            try:
                datagram = node.link.recv(1 << 16)
            except BlockingIOError:
                return
            except OSError:  # ENOBUFS: the kernel had more than the socket could take
                node.overruns += 1
                return
            for message in netlink.messages(datagram):
                logged = parse_logged(message.body) if message.kind == PACKET else None
                if logged:
                    seconds = time.time() if logged.seconds is None else logged.seconds
                    node.ring.append(Seen(seconds, logged.reply, logged.payload, book))


def _subscribed() -> socket.socket:
    """A socket that receives what its namespace logs to GROUP."""
    link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, netlink.NETLINK_NETFILTER)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    link.settimeout(2.0)
    for request in subscription(GROUP, _BATCH, _TIMEOUT_HUNDREDTHS):
        link.send(request)
        (answer,) = netlink.messages(link.recv(4096))
        number = netlink.error_of(answer)
        if number:
            raise OSError(number, "the kernel's packet log (nfnetlink_log) could not be opened")
    link.setblocking(False)
    return link
