"""The agents of a cluster's nodes: BGP, the Service data path, cluster DNS, the flow log, and what exec asks them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network
from typing import TYPE_CHECKING

from bgplab.backends.embedded.agents.addresses import dns_address
from bgplab.backends.embedded.agents.agent_settings import AgentSettings
from bgplab.backends.embedded.agents.bgp.agent import BgpAgent
from bgplab.backends.embedded.agents.bgp.workers import BgpWorkers
from bgplab.backends.embedded.agents.cilium_dbg import DEFAULT_VERSION, CiliumDbg
from bgplab.backends.embedded.agents.datapath import NodePath, ServiceDataPath
from bgplab.backends.embedded.agents.datapath.agent import ALONE
from bgplab.backends.embedded.agents.datapath.ruleset import TABLE as SERVICE_TABLE
from bgplab.backends.embedded.agents.dns import ClusterDns
from bgplab.backends.embedded.agents.flows import FlowLog
from bgplab.backends.embedded.agents.mesh.versions import behaviour_of
from bgplab.backends.embedded.agents.pod_network import connect_node, disconnect_node
from bgplab.backends.embedded.controllers.runtime import Informers
from bgplab.backends.embedded.hosts.switchboard import Host
from bgplab.backends.embedded.plan import ClusterPlan, NodePlan
from bgplab.backends.embedded.wiring.plan import UPLINK_ADDRESS
from bgplab.errors import LabError
from bgplab.lab.cluster import Cluster, Manifest

if TYPE_CHECKING:
    from bgplab.backends.embedded.agents.mesh.node_agents import MeshAgents

#: Programs that exec in a `cilium` pod finds in the agent itself.
AGENT_NAMES = frozenset({"cilium", "cilium-dbg", "hubble"})
READY_TIMEOUT_SECONDS = 20.0
FLOWS_TABLE = "bgplab_flows"


@dataclass(slots=True)
class _Running:
    """What was started on a node. attached: whether DNS and flow log are there, which outlive `halt`."""

    node: NodePlan
    host: Host
    bgp: BgpAgent
    attached: bool = True


class NodeAgents:
    """Starts each node's agents and answers for them; what can be shared by all nodes of a cluster is.

    commands: node → what answers `cilium …` there; only nodes whose agents run.
    """

    def __init__(
        self,
        plan: ClusterPlan,
        cluster: Cluster,
        informers: Informers,
        stop: threading.Event,
    ) -> None:
        self._plan = plan
        self._nodes = {node.name: node for node in plan.nodes}
        self._cluster, self._informers, self._stop = cluster, informers, stop
        self._data_path = ServiceDataPath(informers, stop, behaviour=behaviour_of(plan.cilium_version))
        self._mesh = None if plan.cilium_installed else self._mesh_agents()
        self._dns = ClusterDns(dns_address(plan), informers, stop)
        self._flows = FlowLog(informers, stop, plan.name if plan.id else "default")
        self._bgp_workers = BgpWorkers(informers, stop)
        # one for all: each node's table says the same of it, which is written once
        self._native_routing = (plan.pod_cidr, *(IPv4Network(node.address) for node in plan.nodes))
        self._known: dict[str, _Running] = {}
        self.commands: dict[str, Callable[[list[str]], tuple[int, str, str]]] = {}

    def start(
        self, node: NodePlan, host: Host, settings: AgentSettings | None = None, pod: Manifest | None = None
    ) -> None:
        """Start a node's agents, or start them again after `halt` or `remove`.

        settings, pod: of a cluster that installs Cilium itself; else the node is as its wiring and description say.
        """
        before = self._known.get(node.name)
        if settings is not None:
            connect_node(host, node, self._on_link(node))
        self._data_path.add(self._path_of(node, settings), host, self._mesh.of(node.name) if self._mesh else ALONE)
        if before is None or not before.attached:
            self._dns.serve(host)
            self._flows.watch(node.name, host)
        bgp = self._start_bgp(node, host, settings, before)
        self._known[node.name] = _Running(node, host, bgp)
        if self._mesh and settings and pod:
            self._mesh.start(node, host, settings, pod)
        self.commands[node.name] = self._answers(node, bgp, settings)

    def halt(self, name: str) -> None:
        """A node's agents end and leave in the kernel what they put there."""
        self.commands.pop(name, None)
        if self._mesh:
            self._mesh.halt(name)
        self._data_path.remove(name)
        if name in self._known:
            self._known[name].bgp.halt()

    def remove(self, name: str) -> None:
        """After `halt`: take everything out of the node's kernel as well."""
        running = self._known.get(name)
        if running is None:
            return
        if self._mesh:
            self._mesh.remove(name)
        self._dns.remove(name)
        self._flows.remove(name)
        host = running.host
        for table in (SERVICE_TABLE, FLOWS_TABLE):
            host.run(["nft", "delete", "table", "ip", table], check=False)
        host.run(["ip", "address", "delete", f"{dns_address(self._plan)}/32", "dev", "lo"], check=False)
        disconnect_node(host, self._on_link(running.node))
        running.attached = False

    def wait_ready(self, names: Iterable[str] | None = None) -> None:
        """Until these nodes' (every node's) data path stands. Raises LabError naming one that does not."""
        for name in list(self.commands) if names is None else names:
            if not self._data_path.wait_ready(name, READY_TIMEOUT_SECONDS):
                raise LabError(f"{name}: the service data path did not come up")

    def _mesh_agents(self) -> MeshAgents:
        """Loaded only where they are needed."""
        from bgplab.backends.embedded.agents.mesh.node_agents import MeshAgents

        return MeshAgents(self._informers, self._stop, self._data_path.others_changed)

    def _on_link(self, node: NodePlan) -> list[NodePlan]:
        return [self._nodes[name] for name in node.on_link]

    def _path_of(self, node: NodePlan, settings: AgentSettings | None) -> NodePath:
        native = settings.native_routing if settings else self._native_routing
        own = (node.address, node.pod_cidr.network_address + 1, IPv4Interface(UPLINK_ADDRESS).ip)
        return NodePath(node.name, node.address, own, node.pod_cidr, native)

    def _start_bgp(
        self, node: NodePlan, host: Host, settings: AgentSettings | None, before: _Running | None
    ) -> BgpAgent:
        if before is not None:
            before.bgp.resume()
            return before.bgp
        return BgpAgent(
            node.name,
            host,
            self._cluster,
            self._informers,
            self._stop,
            self._bgp_workers,
            stands_by=settings is None or settings.bgp,
        )

    def _answers(
        self, node: NodePlan, bgp: BgpAgent, settings: AgentSettings | None
    ) -> Callable[[list[str]], tuple[int, str, str]]:
        version, cluster = (settings.version, settings.cluster_name) if settings else (DEFAULT_VERSION, "default")
        dbg = CiliumDbg(
            bgp,
            self._informers,
            node.name,
            version,
            cluster,
            mesh=self._mesh.of(node.name) if self._mesh else None,
            services=lambda: self._data_path.services_at(node.name),
            addresses=(node.address,),
        )

        def answer(argv: list[str]) -> tuple[int, str, str]:
            return self._flows.observe(node.name, argv) if argv[0] == "hubble" else dbg.run(argv)

        return answer
