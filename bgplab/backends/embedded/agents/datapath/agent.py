"""Keep every node's Service table as the cluster says: a few workers for all nodes, woken by changes only."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Network
from typing import Protocol

from bgplab.backends.embedded.agents.datapath.conntrack import Judged, delete_stale, is_stale
from bgplab.backends.embedded.agents.datapath.nft import Table, script
from bgplab.backends.embedded.agents.datapath.ruleset import NodePath, Shared, plan_of
from bgplab.backends.embedded.agents.datapath.services import (
    OtherClusters,
    Service,
    endpoint_addresses,
    services_of,
)
from bgplab.backends.embedded.agents.datapath.unreachable import UnreachableAnswers
from bgplab.backends.embedded.agents.mesh.remote_store import RemoteNode, RemoteService
from bgplab.backends.embedded.agents.mesh.versions import REMOTE_NODE_PORTS_ARE_OURS, Behaviour
from bgplab.backends.embedded.controllers.runtime import Informers, Worker
from bgplab.backends.embedded.hosts.handle import HostHandle
from bgplab.errors import LabError
from bgplab.lab.cluster import ENDPOINT_SLICE, SERVICE, Manifest

log = logging.getLogger(__name__)

WORKERS = 4

#: A node whose table was changed rests for so long, times the nodes there are: while pods come up one by one every
#: table changes with each of them, and one of a hundred nodes' `nft` is enough for several. Three nodes rest 15 ms.
REST_SECONDS_PER_NODE = 0.005

#: Services that a node answers itself (`dns/`), not by sending connections on.
ANSWERED_BY_NODE = frozenset({"kube-system/kube-dns"})


class RemoteView(Protocol):
    """What a node's agent knows of other clusters; each node has its own view."""

    def nodes(self) -> Sequence[RemoteNode]: ...

    def services(self) -> Sequence[RemoteService]: ...


class _Alone:
    """A node outside of any mesh."""

    def nodes(self) -> Sequence[RemoteNode]:
        return ()

    def services(self) -> Sequence[RemoteService]:
        return ()


ALONE = _Alone()


@dataclass(slots=True)
class _Node:
    path: NodePath
    host: HostHandle
    others: RemoteView
    applied: Table | None = None
    judged: Judged | None = None
    follows: tuple[Shared, NodePath] | None = None
    rests_until: float = 0.0
    change: int = -1
    ready: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The cluster's Services as of a change, for nodes that know the same of other clusters.

    endpoints: addresses that are still somebody's backend, ready or not. shared: of the plans made of them; the same
    one as before when nothing has changed that plans are made of.
    """

    change: int
    services: tuple[Service, ...]
    endpoints: frozenset[IPv4Address]
    shared: Shared


class ServiceDataPath:
    """The Service data path of all nodes of a cluster.

    Latency from a change's event to the kernel: one run of `nft` per node that the change concerns.
    """

    def __init__(
        self,
        informers: Informers,
        stop: threading.Event,
        answered_by_node: Iterable[str] = ANSWERED_BY_NODE,
        behaviour: Behaviour | None = None,
    ) -> None:
        self._services = informers.of(SERVICE)
        self._slices = informers.of(ENDPOINT_SLICE)
        self._answered_by_node = frozenset(answered_by_node)
        self._nodes: dict[str, _Node] = {}
        self._unreachable = UnreachableAnswers(stop)
        self._change = 0
        self._behaviour = behaviour or Behaviour()
        self._wanted: dict[tuple[RemoteService, ...], _Wanted] = {}
        self._lock = threading.Lock()
        needs = (self._services, self._slices)
        self._workers = [Worker(f"service-data-path-{n}", self._reconcile, stop, needs) for n in range(WORKERS)]
        self._services.subscribe(self._changed)
        self._slices.subscribe(self._changed)

    def add(self, path: NodePath, host: HostHandle, others: RemoteView = ALONE) -> None:
        """Take care of a node from now on; `wait_ready` tells when its table stands."""
        self._unreachable.watch(path.name, host)
        with self._lock:
            self._nodes[path.name] = _Node(path, host, others)
        self._enqueue(path.name)

    def others_changed(self) -> None:
        """Look at what nodes know of other clusters again."""
        self._changed(None, None)

    def services_at(self, name: str) -> tuple[Service, ...]:
        """The Services that a node serves, as of now; empty when it is not taken care of."""
        with self._lock:
            node = self._nodes.get(name)
        return self._look(node)[0].services if node is not None else ()

    def remove(self, name: str) -> None:
        """Forget a node; its namespace takes the table with it."""
        with self._lock:
            self._nodes.pop(name, None)

    def wait_ready(self, name: str, timeout: float) -> bool:
        """Whether the node's first table stood within `timeout` seconds."""
        return self._nodes[name].ready.wait(timeout)

    def is_current(self, name: str) -> bool:
        """Whether a node's table follows from the last change that was heard of."""
        with self._lock:
            return self._nodes[name].change == self._change

    def _changed(self, old: Manifest | None, new: Manifest | None) -> None:
        with self._lock:
            self._change += 1
            nodes = list(self._nodes.items())
        now = time.monotonic()
        for name, node in nodes:
            self._enqueue(name, max(0.0, node.rests_until - now))

    def _enqueue(self, name: str, seconds: float = 0.0) -> None:
        # always the same worker for a node, so that nothing is applied twice at once
        self._workers[hash(name) % WORKERS].enqueue_after(name, seconds)

    def _look(self, node: _Node) -> tuple[_Wanted, NodePath]:
        """The cluster's Services and those of others, parsed once per change for all nodes that know the same."""
        with self._lock:
            change = self._change
        remote = tuple(node.others.services())
        wanted = self._wanted.get(remote)
        if wanted is None or wanted.change != change:
            wanted = self._read(change, remote, wanted)
            with self._lock:
                self._wanted = {key: one for key, one in self._wanted.items() if one.change == change}
                self._wanted[remote] = wanted
        return wanted, self._path_of(node)

    def _read(self, change: int, remote: tuple[RemoteService, ...], before: _Wanted | None) -> _Wanted:
        others = OtherClusters(remote, self._behaviour)
        slices = self._slices.list()
        services = services_of(self._services.list(), slices, others)
        sent_on = tuple(service for service in services if service.key not in self._answered_by_node)
        endpoints = endpoint_addresses(slices) | others.addresses()
        same = before is not None and (before.services, before.endpoints) == (sent_on, endpoints)
        return _Wanted(change, sent_on, endpoints, before.shared if before is not None and same else Shared())

    def _path_of(self, node: _Node) -> NodePath:
        """The node's path in the mesh as it is now: remote nodes see a pod's own address, as the cluster's own do."""
        nodes = tuple(one.address for one in node.others.nodes())
        if not nodes:
            return node.path
        native = node.path.native_routing
        return replace(
            node.path,
            native_routing=(*native, *map(IPv4Network, nodes)) if native else (),
            also_ours=nodes if self._behaviour.has(REMOTE_NODE_PORTS_ARE_OURS) else (),
        )

    def _reconcile(self, key: Hashable) -> float | None:
        with self._lock:
            node = self._nodes.get(str(key))
        if node is not None:
            self._apply(node, *self._look(node))
        return None

    def _apply(self, node: _Node, wanted: _Wanted, path: NodePath) -> None:
        if node.follows != (wanted.shared, path):
            self._follow(node, wanted, path)
            node.follows = wanted.shared, path
        node.change = wanted.change
        node.ready.set()

    def _follow(self, node: _Node, wanted: _Wanted, path: NodePath) -> None:
        plan = plan_of(wanted.services, path, wanted.shared)
        text = script(plan.table, node.applied)
        if text:
            self._load(node, text)
            node.applied = plan.table
            log.debug("%s: service table changed, %d lines", node.path.name, text.count("\n"))
        judged = (node.judged or Judged()).after(plan.offers, wanted.endpoints)
        if node.judged is None or judged.contradicts(node.judged):
            delete_stale(node.host.netns, lambda entry: is_stale(entry, plan.offers, wanted.endpoints))
        node.judged = judged
        if text:
            node.rests_until = time.monotonic() + REST_SECONDS_PER_NODE * len(self._nodes)

    def _load(self, node: _Node, text: str) -> None:
        try:
            node.host.run(["nft", "-f", "-"], stdin=text.encode())
        except LabError:
            node.applied = None  # whatever stands there now, the next attempt starts anew
            raise
