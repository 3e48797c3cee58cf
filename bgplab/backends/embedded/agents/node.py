"""The agents of a cluster's nodes: BGP, the Service data path, cluster DNS, the flow log, and what exec asks them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from ipaddress import IPv4Interface, IPv4Network

from bgplab.backends.embedded.agents.addresses import dns_address
from bgplab.backends.embedded.agents.bgp.agent import BgpAgent
from bgplab.backends.embedded.agents.bgp.workers import BgpWorkers
from bgplab.backends.embedded.agents.cilium_dbg import CiliumDbg
from bgplab.backends.embedded.agents.datapath import NodePath, ServiceDataPath
from bgplab.backends.embedded.agents.dns import ClusterDns
from bgplab.backends.embedded.agents.flows import FlowLog
from bgplab.backends.embedded.controllers.runtime import Informers
from bgplab.backends.embedded.hosts.switchboard import Host
from bgplab.backends.embedded.wiring.plan import UPLINK_ADDRESS
from bgplab.errors import LabError
from bgplab.lab.cluster import Cluster
from bgplab.spec.model import ClusterSpec, Node

#: Programs that exec in a `cilium` pod finds in the agent itself.
AGENT_NAMES = frozenset({"cilium", "cilium-dbg", "hubble"})
READY_TIMEOUT_SECONDS = 20.0


class NodeAgents:
    """Starts each node's agents and answers for them; what can be shared by all nodes of a cluster is."""

    def __init__(self, spec: ClusterSpec, cluster: Cluster, informers: Informers, stop: threading.Event) -> None:
        self._spec, self._cluster, self._informers, self._stop = spec, cluster, informers, stop
        self._data_path = ServiceDataPath(informers, stop)
        self._dns = ClusterDns(dns_address(spec), informers, stop)
        self._flows = FlowLog(informers, stop)
        self._bgp_workers = BgpWorkers(informers, stop)
        self.commands: dict[str, Callable[[list[str]], tuple[int, str, str]]] = {}

    def start(self, node: Node, host: Host) -> None:
        native = (self._spec.pod_cidr, *(IPv4Network(other.address) for other in self._spec.nodes))
        own = (node.address, node.pod_cidr.network_address + 1, IPv4Interface(UPLINK_ADDRESS).ip)
        self._data_path.add(NodePath(node.name, node.address, own, node.pod_cidr, native), host)
        self._dns.serve(host)
        self._flows.watch(node.name, host)
        agent = BgpAgent(node.name, host, self._cluster, self._informers, self._stop, self._bgp_workers)
        dbg = CiliumDbg(agent, self._informers, node.name)

        def answer(argv: list[str]) -> tuple[int, str, str]:
            return self._flows.observe(node.name, argv) if argv[0] == "hubble" else dbg.run(argv)

        self.commands[node.name] = answer

    def wait_ready(self) -> None:
        """Until every node's data path stands. Raises LabError naming one that does not."""
        for name in self.commands:
            if not self._data_path.wait_ready(name, READY_TIMEOUT_SECONDS):
                raise LabError(f"{name}: the service data path did not come up")
