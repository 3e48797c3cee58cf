"""A node agent's part in the mesh: a client per remote cluster, and what they know together."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bgplab.backends.embedded.agents.mesh.access import RemoteAccess
from bgplab.backends.embedded.agents.mesh.cluster_ids import ClusterIds
from bgplab.backends.embedded.agents.mesh.mutual_tls import client_context, shaken_hands
from bgplab.backends.embedded.agents.mesh.remote_cluster import RemoteCluster
from bgplab.backends.embedded.agents.mesh.remote_store import RemoteNode, RemoteService
from bgplab.backends.embedded.agents.mesh.status import RemoteStatus
from bgplab.backends.embedded.agents.mesh.timers import CILIUM, MeshTimers
from bgplab.backends.embedded.agents.netns import socket_in

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Client:
    access: RemoteAccess
    remote: RemoteCluster


class MeshAgent:
    """Follows the remote clusters it is told of. Thread-safe.

    netns: of the node, from where connections are opened. changed: called when what is known of the others is new,
    from a thread that must not be held up.
    """

    def __init__(
        self, node: str, netns: int, cluster_id: int, changed: Callable[[], None], timers: MeshTimers = CILIUM
    ) -> None:
        self._node, self._netns, self._changed, self._timers = node, netns, changed, timers
        self._ids = ClusterIds(cluster_id)
        self._clients: dict[str, _Client] = {}
        self._faults: dict[str, str] = {}
        self._closed = False
        self._lock = threading.RLock()

    def follow(self, wanted: Mapping[str, RemoteAccess]) -> None:
        """Be a client of exactly these. One that is no longer named is forgotten with all that came from it; one that
        is to be reached in another way keeps what is known until the new connection says otherwise."""
        with self._lock:
            if self._closed:
                return
            gone = [name for name in self._clients if name not in wanted]
            for name in gone:
                self._clients.pop(name).remote.close()
            self._faults = {name: access.fault for name, access in wanted.items() if access.fault}
            for name, access in wanted.items():
                there = self._clients.get(name)
                if there is None or there.access != access:
                    self._connect(name, access, there)
        if gone:
            self._changed()

    def start(self) -> None:
        """Go on after `close`: all connections are made anew, and what was heard before stays until they say."""
        with self._lock:
            if self._closed:
                self._closed = False
                for name, there in list(self._clients.items()):
                    self._connect(name, there.access, there)

    def close(self) -> None:
        """End all connections; what was heard can still be read."""
        with self._lock:
            self._closed = True
            for client in self._clients.values():
                client.remote.close()

    def nodes(self) -> list[RemoteNode]:
        with self._lock:
            return [node for client in self._clients.values() for node in client.remote.heard.nodes]

    def services(self) -> list[RemoteService]:
        with self._lock:
            return [service for client in self._clients.values() for service in client.remote.heard.services]

    def statuses(self) -> tuple[RemoteStatus, ...]:
        """By name."""
        with self._lock:
            known = {name: client.remote.status for name, client in self._clients.items()}
            known |= {name: RemoteStatus(name, text=fault) for name, fault in self._faults.items() if name not in known}
        return tuple(known[name] for name in sorted(known))

    def _connect(self, name: str, access: RemoteAccess, before: _Client | None) -> None:
        store = None
        if before is not None:
            before.remote.close()
            store = before.remote.store.copy()  # its thread may still be ending
        if access.identity is None:
            self._clients.pop(name, None)
            return
        remote = RemoteCluster(name, self._dial(access), self._ids, self._changed, store, self._timers)
        self._clients[name] = _Client(access, remote)

    def _dial(self, access: RemoteAccess) -> Callable[[], socket.socket]:
        def dial() -> socket.socket:
            assert access.identity is not None
            if not access.address:
                raise OSError(f"dial tcp: lookup {access.server_name}: no such host")
            try:
                context = client_context(access.identity)
            except ValueError as fault:
                raise OSError(str(fault)) from fault
            where = (access.address, access.port)
            plain = socket_in(self._netns, lambda: socket.create_connection(where, CONNECT_TIMEOUT_SECONDS))
            _keep_alive(plain)
            return shaken_hands(plain, context, access.server_name)

        return dial


def _keep_alive(connected: socket.socket) -> None:
    """Notice a peer that is gone without a word: after 15 s ask, for 25 s (Cilium's etcd client does so in HTTP/2)."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 5)
