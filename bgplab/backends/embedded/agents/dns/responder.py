"""Answer the cluster's DNS address on every node: sockets in the nodes' namespaces, one thread for all of them."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from bgplab.backends.embedded.agents.dns.message import (
    Code,
    MalformedError,
    Query,
    build_refusal,
    build_response,
    parse_query,
)
from bgplab.backends.embedded.agents.dns.zone import Zone, zone_of
from bgplab.backends.embedded.agents.loop import SocketLoop
from bgplab.backends.embedded.agents.netns import socket_in
from bgplab.backends.embedded.controllers.runtime import Informers
from bgplab.backends.embedded.hosts.handle import HostHandle
from bgplab.lab.cluster import ENDPOINT_SLICE, SERVICE, Manifest

PORT = 53
_IP_FREEBIND = 15
_DATAGRAMS_AT_ONCE = 64
_LONGEST_TCP_QUERY = 2 + 1024
#: Connections that say nothing must not pile up; a resolver's are over in milliseconds.
_MOST_TCP_CLIENTS = 256


@dataclass(slots=True)
class _Caller:
    """A TCP connection and what it sent so far."""

    connection: socket.socket
    node: str
    received: bytearray = field(default_factory=bytearray)


class ClusterDns:
    """DNS of one cluster on any number of nodes. Before the first list of Services it answers SERVFAIL."""

    def __init__(
        self, address: IPv4Address, informers: Informers, stop: threading.Event, domain: str = "cluster.local"
    ) -> None:
        self._address, self._domain = address, domain
        self._services, self._slices = informers.of(SERVICE), informers.of(ENDPOINT_SLICE)
        self._change = 0
        self._zone = Zone(domain, {}, serial=-1)
        self._lock = threading.Lock()
        self._listening: dict[str, list[socket.socket]] = {}
        self._callers: dict[socket.socket, _Caller] = {}
        self._loop = SocketLoop("cluster-dns", stop)
        self._services.subscribe(self._changed)
        self._slices.subscribe(self._changed)

    def serve(self, host: HostHandle) -> None:
        """Answer on a node from now on: its loopback gets the address, which is how its pods reach it."""
        host.run(["ip", "address", "replace", f"{self._address}/32", "dev", "lo"])
        datagrams = socket_in(host.netns, lambda: self._bound(socket.SOCK_DGRAM))
        listener = socket_in(host.netns, lambda: self._bound(socket.SOCK_STREAM))

        def start() -> None:
            self._listening[host.name] = [datagrams, listener]
            self._loop.add(datagrams, lambda: self._answer_datagrams(datagrams))
            self._loop.add(listener, lambda: self._accept(listener, host.name))

        self._loop.do(start)

    def remove(self, name: str) -> None:
        """Stop answering on a node."""

        def end() -> None:
            for caller in [caller for caller in self._callers.values() if caller.node == name]:
                self._hang_up(caller)
            for listening in self._listening.pop(name, []):
                self._loop.close(listening)

        self._loop.do(end)

    def _bound(self, kind: socket.SocketKind) -> socket.socket:
        bound = socket.socket(socket.AF_INET, kind)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        bound.bind((str(self._address), PORT))
        bound.setblocking(False)
        if kind == socket.SOCK_STREAM:
            bound.listen(128)
        return bound

    def _changed(self, old: Manifest | None, new: Manifest | None) -> None:
        with self._lock:
            self._change += 1

    def _look(self) -> Zone | None:
        """The zone as of the last change; None before the first lists."""
        if self._zone.serial != self._change:
            if not (self._services.synced and self._slices.synced):
                return None
            change = self._change  # before reading: what changes meanwhile makes it differ again
            self._zone = zone_of(self._domain, self._services.list(), self._slices.list(), change)
        return self._zone

    def _respond(self, data: bytes, *, datagram: bool) -> bytes | None:
        """The response to a message; None when it deserves none."""
        try:
            query = parse_query(data)
        except MalformedError as fault:
            return None if fault.number is None else build_refusal(fault.number, Code.FORMERR)
        zone = self._look()
        if zone is None:
            return build_refusal(query.number, Code.SERVFAIL)
        return build_response(query, zone.answer(query), _limit(query, datagram))

    def _answer_datagrams(self, datagrams: socket.socket) -> None:
        with contextlib.suppress(OSError):
            for _ in range(_DATAGRAMS_AT_ONCE):
                data, client = datagrams.recvfrom(4096)
                response = self._respond(data, datagram=True)
                if response:
                    datagrams.sendto(response, client)

    def _accept(self, listener: socket.socket, node: str) -> None:
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            connection.setblocking(False)
            if len(self._callers) >= _MOST_TCP_CLIENTS:
                self._hang_up(next(iter(self._callers.values())))
            caller = self._callers[connection] = _Caller(connection, node)
            self._loop.add(connection, lambda: self._hear(caller))

    def _hear(self, caller: _Caller) -> None:
        try:
            received = caller.connection.recv(4096)
        except OSError:
            received = b""
        caller.received += received
        if not received or len(caller.received) > _LONGEST_TCP_QUERY or not self._answer_stream(caller):
            self._hang_up(caller)

    def _answer_stream(self, caller: _Caller) -> bool:
        """Answer every whole message (RFC 1035, 4.2.2: two bytes of length before each); False ends the connection."""
        while len(caller.received) >= 2:
            end = 2 + int.from_bytes(caller.received[:2])
            if len(caller.received) < end:
                return True
            response = self._respond(bytes(caller.received[2:end]), datagram=False)
            del caller.received[:end]
            if response is None:
                return False
            try:
                caller.connection.sendall(struct.pack("!H", len(response)) + response)
            except OSError:
                return False
        return True

    def _hang_up(self, caller: _Caller) -> None:
        self._callers.pop(caller.connection, None)
        self._loop.close(caller.connection)


def _limit(query: Query, datagram: bool) -> int | None:
    return query.udp_size if datagram else None
