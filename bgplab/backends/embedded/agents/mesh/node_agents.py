"""The mesh's part of a cluster's agents: one per node, which come and go with the nodes' `cilium` pods."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bgplab.backends.embedded.agents.agent_settings import AgentSettings
from bgplab.backends.embedded.agents.kubelet.volumes import mounted
from bgplab.backends.embedded.agents.mesh.access import accesses
from bgplab.backends.embedded.agents.mesh.agent import MeshAgent
from bgplab.backends.embedded.agents.mesh.remote_store import RemoteNode, RemoteService
from bgplab.backends.embedded.agents.mesh.routes import PodRoutes, routes_to
from bgplab.backends.embedded.agents.mesh.status import RemoteStatus
from bgplab.backends.embedded.agents.mesh.timers import CILIUM, MeshTimers
from bgplab.backends.embedded.controllers.runtime import Informer, Informers, Worker
from bgplab.backends.embedded.hosts.handle import HostHandle
from bgplab.backends.embedded.plan import NodePlan
from bgplab.lab.cluster import SECRET, Kind, Manifest

log = logging.getLogger(__name__)

#: Where the agent's pod has the remote clusters' configurations (the DaemonSet's volume `clustermesh-secrets`).
DIRECTORY = "/var/lib/cilium/clustermesh/"

ACCESS, ROUTES = "access", "routes"


@dataclass(slots=True)
class _Member:
    """A node. pod: its running agent's, None while none runs."""

    agent: MeshAgent
    routes: PodRoutes
    pod: Manifest | None = None


class MeshAgents:
    """All nodes' agents of a cluster. changed: called when what any of them knows of other clusters is new."""

    def __init__(
        self, informers: Informers, stop: threading.Event, changed: Callable[[], None], timers: MeshTimers = CILIUM
    ) -> None:
        self._informers, self._stop, self._changed, self._timers = informers, stop, changed, timers
        self._members: dict[str, _Member] = {}
        self._secrets: Informer | None = None
        self._worker: Worker | None = None
        self._lock = threading.RLock()

    def _begin(self) -> None:
        """Watch Secrets from the first agent on: a cluster whose Cilium is not installed by pods has no mesh."""
        if self._worker is None:
            self._secrets = self._informers.of(SECRET)
            self._worker = Worker("mesh-agents", self._reconcile, self._stop, needs=(self._secrets,))
            self._secrets.subscribe(self._secret_changed)

    def _enqueue(self, errand: str, name: str) -> None:
        if self._worker is not None:
            self._worker.enqueue((errand, name))

    def start(self, node: NodePlan, host: HostHandle, settings: AgentSettings, pod: Manifest) -> None:
        """A node's agent starts, in this pod. What its predecessor knew stays until remote clusters say otherwise:
        Cilium's own keeps it in eBPF maps, and waits for them a minute before it drops what is stale."""
        with self._lock:
            member = self._members.get(node.name)
            if member is None:
                agent = MeshAgent(
                    node.name, host.netns, settings.cluster_id, lambda: self._heard(node.name), self._timers
                )
                member = self._members[node.name] = _Member(agent, PodRoutes(node.name, host))
            member.pod = pod
            self._begin()
        member.agent.start()
        self._enqueue(ACCESS, node.name)

    def halt(self, name: str) -> None:
        """The node's agent ends: its connections close; routes and table stay as they are."""
        with self._lock:
            member = self._members.get(name)
            if member is None:
                return
            member.pod = None
        member.agent.close()

    def remove(self, name: str) -> None:
        """Cilium is uninstalled: the routes go, and what was known."""
        with self._lock:
            member = self._members.pop(name, None)
        if member is not None:
            member.agent.close()
            member.routes.become({})

    def of(self, name: str) -> NodeMesh:
        """What a node's agent knows, now and later."""
        return NodeMesh(self, name)

    def agent(self, name: str) -> MeshAgent | None:
        with self._lock:
            member = self._members.get(name)
        return member.agent if member else None

    def _secret_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        with self._lock:
            names = list(self._members)
        for name in names:
            self._enqueue(ACCESS, name)

    def _heard(self, name: str) -> None:
        self._enqueue(ROUTES, name)
        self._changed()

    def _reconcile(self, key: tuple[str, str]) -> None:
        errand, name = key
        with self._lock:
            member = self._members.get(name)
            pod = member.pod if member else None
        if member is None:
            return
        if errand == ROUTES:
            member.routes.become(routes_to(member.agent.nodes()))
        elif pod is not None:
            aliases = pod["spec"].get("hostAliases") or ()
            member.agent.follow(accesses(self._files(pod), aliases))

    def _files(self, pod: Manifest) -> dict[str, str]:
        """What the pod's volume holds by now: kubelet keeps projected Secrets up to date, and the agent watches."""

        def read(kind: Kind, name: str) -> Manifest | None:
            if kind != SECRET or self._secrets is None:
                return None
            return self._secrets.get(name, pod["metadata"]["namespace"])

        files = mounted(pod, read).files
        return {path.removeprefix(DIRECTORY): text for path, text in files.items() if path.startswith(DIRECTORY)}


@dataclass(frozen=True, slots=True)
class NodeMesh:
    """One node's view of the other clusters; empty as long as its agent has none."""

    _agents: MeshAgents
    _name: str

    def nodes(self) -> Sequence[RemoteNode]:
        agent = self._agents.agent(self._name)
        return agent.nodes() if agent else ()

    def services(self) -> Sequence[RemoteService]:
        agent = self._agents.agent(self._name)
        return agent.services() if agent else ()

    def statuses(self) -> Sequence[RemoteStatus]:
        agent = self._agents.agent(self._name)
        return agent.statuses() if agent else ()
