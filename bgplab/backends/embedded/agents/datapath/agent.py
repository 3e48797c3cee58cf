"""Keep every node's Service table as the cluster says: one worker for all nodes, woken by changes only."""

from __future__ import annotations

import logging
import shlex
import threading
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from bgplab.backends.embedded.agents.datapath.nft import Table, script
from bgplab.backends.embedded.agents.datapath.ruleset import NodePath, table_of
from bgplab.backends.embedded.agents.datapath.services import Service, endpoint_addresses, services_of
from bgplab.backends.embedded.agents.datapath.stale import Offer, offers_of, stale_calls
from bgplab.backends.embedded.controllers.runtime import Informers, Worker
from bgplab.backends.embedded.hosts.handle import HostHandle
from bgplab.errors import CommandFailed, LabError
from bgplab.lab.cluster import ENDPOINT_SLICE, SERVICE, Manifest

log = logging.getLogger(__name__)

#: What the node's namespace must be set to before the first connection; all writable without root.
NODE_SYSCTLS: dict[str, str] = {
    "net.ipv4.ip_forward": "1",
    "net.ipv4.conf.all.rp_filter": "0",
    "net.ipv4.conf.default.rp_filter": "0",
    "net.ipv4.conf.all.send_redirects": "0",
    "net.ipv4.conf.default.send_redirects": "0",
    # "No route to host" must come for every refused connection, not six times a second (icmp_ratelimit).
    "net.ipv4.icmp_ratemask": "0",
    # A load test leaves 10,000 closed connections a second behind; the table holds 262,144 for the whole machine.
    "net.netfilter.nf_conntrack_tcp_timeout_time_wait": "1",
    "net.netfilter.nf_conntrack_tcp_timeout_close": "1",
    "net.netfilter.nf_conntrack_tcp_timeout_syn_sent": "30",
    # A packet in the middle of an unknown connection is nobody's: an entry for it would shadow the next real one.
    "net.netfilter.nf_conntrack_tcp_loose": "0",
    "net.netfilter.nf_conntrack_tcp_be_liberal": "1",
}

#: Services that a node answers itself (`dns/`), not by sending connections on.
ANSWERED_BY_NODE = frozenset({"kube-system/kube-dns"})


@dataclass(slots=True)
class _Node:
    path: NodePath
    host: HostHandle
    applied: Table | None = None
    offers: frozenset[Offer] = frozenset()
    ready: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class _Wanted:
    services: tuple[Service, ...]
    alive: frozenset[IPv4Address]


class ServiceDataPaths:
    """The Service data path of all nodes of a cluster.

    Latency from a change's event to the kernel: one run of `nft` per node that the change concerns.
    """

    def __init__(
        self, informers: Informers, stop: threading.Event, answered_by_node: Iterable[str] = ANSWERED_BY_NODE
    ) -> None:
        self._services = informers.of(SERVICE)
        self._slices = informers.of(ENDPOINT_SLICE)
        self._elsewhere = frozenset(answered_by_node)
        self._nodes: dict[str, _Node] = {}
        self._wanted: _Wanted | None = None
        self._lock = threading.Lock()
        self._worker = Worker("service-data-path", self._reconcile, stop, needs=(self._services, self._slices))
        self._services.subscribe(self._changed)
        self._slices.subscribe(self._changed)

    def add(self, path: NodePath, host: HostHandle) -> None:
        """Take care of a node from now on; `wait_ready` tells when its table stands."""
        with self._lock:
            self._nodes[path.name] = _Node(path, host)
        self._worker.enqueue(path.name)

    def remove(self, name: str) -> None:
        """Forget a node; its namespace takes the table with it."""
        with self._lock:
            self._nodes.pop(name, None)

    def wait_ready(self, name: str, timeout: float) -> bool:
        """Whether the node's first table stood within `timeout` seconds."""
        return self._nodes[name].ready.wait(timeout)

    def _changed(self, old: Manifest | None, new: Manifest | None) -> None:
        with self._lock:
            self._wanted = None
            names = list(self._nodes)
        for name in names:
            self._worker.enqueue(name)

    def _look(self) -> _Wanted:
        """The cluster's Services, parsed once per change for all nodes."""
        with self._lock:
            wanted = self._wanted
        if wanted is not None:
            return wanted
        seen = object()
        del seen
        slices = self._slices.list()
        services = services_of(self._services.list(), slices)
        served = tuple(service for service in services if service.key not in self._elsewhere)
        return _Wanted(served, endpoint_addresses(slices))

    def _reconcile(self, key: Hashable) -> float | None:
        with self._lock:
            node = self._nodes.get(str(key))
        if node is not None:
            self._apply(node, self._look())
        return None

    def _apply(self, node: _Node, wanted: _Wanted) -> None:
        table = table_of(wanted.services, node.path)
        text = script(table, node.applied)
        if text:
            self._load(node, text)
            node.applied = table
            log.debug("%s: service table changed, %d lines", node.path.name, text.count("\n"))
        offers = offers_of(wanted.services, node.path.name)
        calls = stale_calls(node.offers, offers, wanted.alive)
        node.offers = offers
        node.ready.set()
        if calls:
            # One shell for all; a call that finds nothing to delete ends with status 1.
            line = "; ".join(f"conntrack {shlex.join(call)}" for call in calls)
            node.host.run(["sh", "-c", f"{{ {line}; }} >/dev/null 2>&1; true"])

    def _load(self, node: _Node, text: str) -> None:
        try:
            node.host.run(["nft", "-f", "-"], stdin=text.encode())
        except (CommandFailed, LabError):
            node.applied = None  # whatever stands there now, the next attempt starts anew
            raise
