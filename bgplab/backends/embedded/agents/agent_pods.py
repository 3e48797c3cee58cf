"""Agents that come and go with pods, in clusters that install Cilium themselves.

A node's agents run while its pod of the DaemonSet `cilium` runs. When only the pod goes (a rolling restart), what the
agent has put into the kernel stays and works on, as eBPF programs do, and so does the node's network. When the
DaemonSet is gone, too, it is all taken out again and the node is not ready: what uninstalling and a reboot would do.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping

from bgplab.backends.embedded.agents.agent_settings import AgentSettings, settings_of
from bgplab.backends.embedded.agents.kubelet.node_networks import NodeNetworks
from bgplab.backends.embedded.agents.node import NodeAgents
from bgplab.backends.embedded.controllers.runtime import Informers, Worker
from bgplab.backends.embedded.hosts.switchboard import Host
from bgplab.backends.embedded.plan import ClusterPlan
from bgplab.lab.cluster import CONFIG_MAP, DAEMON_SET, Cluster, Manifest

log = logging.getLogger(__name__)

NAMESPACE, DAEMON_SET_NAME = "kube-system", "cilium"


class AgentPods:
    """What the containers of agent pods do (the ContainerService of their image)."""

    def __init__(
        self,
        plan: ClusterPlan,
        cluster: Cluster,
        informers: Informers,
        stop: threading.Event,
        agents: NodeAgents,
        hosts: Mapping[str, Host],
        networks: NodeNetworks,
    ) -> None:
        self._nodes = {node.name: node for node in plan.nodes}
        self._cluster, self._agents, self._hosts, self._networks = cluster, agents, hosts, networks
        self._daemon_sets = informers.of(DAEMON_SET)
        self._locks: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self._running: dict[str, str] = {}  # node → uid of the pod that its agents run in
        self._worker = Worker("agent-pods", self._remove_uninstalled, stop, needs=(self._daemon_sets,))
        self._daemon_sets.subscribe(self._daemon_set_changed)

    def started(self, pod: Manifest) -> None:
        """Until the node's agents run and its data path stands; then pods can be connected there."""
        name = pod["spec"]["nodeName"]
        with self._locks[name]:
            self._running[name] = pod["metadata"]["uid"]
            self._agents.start(self._nodes[name], self._hosts[name], self._settings(pod), pod)
            self._agents.wait_ready([name])
            self._networks.set_ready(name, True)
        log.info("%s: the agents run", name)

    def ended(self, pod: Manifest) -> None:
        name = pod["spec"]["nodeName"]
        with self._locks[name]:
            if self._running.get(name) != pod["metadata"]["uid"]:
                return  # deleted by force, and its successor has started already
            del self._running[name]
            self._agents.halt(name)
        log.info("%s: the agents have ended", name)
        self._worker.enqueue(name)

    def _settings(self, pod: Manifest) -> AgentSettings:
        config, masquerade = (
            self._cluster.get(CONFIG_MAP, name, NAMESPACE) for name in ("cilium-config", "ip-masq-agent")
        )
        image = pod["spec"]["containers"][0]["image"]
        return settings_of(image, config, masquerade, (node.address for node in self._nodes.values()))

    def _daemon_set_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if new is None:
            for name in self._nodes:
                self._worker.enqueue(name)

    def _remove_uninstalled(self, name: str) -> None:
        daemon_set = self._daemon_sets.get(DAEMON_SET_NAME, NAMESPACE)
        if daemon_set is not None and "deletionTimestamp" not in daemon_set["metadata"]:
            return
        with self._locks[name]:
            if name not in self._running and self._networks.is_ready(name):
                self._networks.set_ready(name, False)
                self._agents.remove(name)
                log.info("%s: Cilium is uninstalled", name)


class OperatorPods:
    """What cilium-operator's container does: Cilium's controllers run while one of its pods does."""

    def __init__(self, cluster: Cluster, start: Callable[[threading.Event, bool], None]) -> None:
        """start: begins them, until the event is set, with or without those of the BGP control plane."""
        self._cluster, self._start = cluster, start
        self._lock = threading.Lock()
        self._pods: set[str] = set()
        self._stop = threading.Event()

    def started(self, pod: Manifest) -> None:
        with self._lock:
            if not self._pods:
                self._stop = threading.Event()
                config = self._cluster.get(CONFIG_MAP, "cilium-config", NAMESPACE) or {}
                self._start(self._stop, (config.get("data") or {}).get("enable-bgp-control-plane") == "true")
            self._pods.add(pod["metadata"]["uid"])

    def ended(self, pod: Manifest) -> None:
        with self._lock:
            self._pods.discard(pod["metadata"]["uid"])
            if not self._pods:
                self._stop.set()
