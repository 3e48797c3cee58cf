"""Agent pods of a cluster in which Cilium is there from the start: the agents run before their pods, and die with them.

`kubectl delete pod` of a node's cilium pod ends that node's speaker without a word, as Cilium 1.18 does when its agent
stops (facts: Cilium #39835), and the pod that the DaemonSet makes in its place starts it again: graceful restart. What
the agent put into the kernel stays and works on meanwhile, as eBPF programs do.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping

from bgplab.backends.embedded.agents.node import NodeAgents
from bgplab.backends.embedded.hosts.switchboard import Host
from bgplab.backends.embedded.plan import NodePlan
from bgplab.lab.cluster import Manifest

log = logging.getLogger(__name__)


class InstalledAgentPods:
    """What the containers of agent pods do (the ContainerService of their image)."""

    def __init__(self, nodes: Iterable[NodePlan], agents: NodeAgents, hosts: Mapping[str, Host]) -> None:
        self._nodes = {node.name: node for node in nodes}
        self._agents, self._hosts = agents, hosts
        self._locks: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self._running: dict[str, str] = {}  # node → uid of the pod that its agents run in
        self._halted: set[str] = set()

    def started(self, pod: Manifest) -> None:
        """The first pod of a node finds its agents at work already."""
        name = pod["spec"]["nodeName"]
        with self._locks[name]:
            self._running[name] = pod["metadata"]["uid"]
            if name in self._halted:
                self._agents.start(self._nodes[name], self._hosts[name])
                self._agents.wait_ready([name])
                self._halted.discard(name)
                log.info("%s: the agents run again", name)

    def ended(self, pod: Manifest) -> None:
        name = pod["spec"]["nodeName"]
        with self._locks[name]:
            if self._running.get(name) != pod["metadata"]["uid"]:
                return  # deleted by force, and its successor has started already
            del self._running[name]
            self._halted.add(name)
            self._agents.halt(name)
        log.info("%s: the agents have ended", name)
