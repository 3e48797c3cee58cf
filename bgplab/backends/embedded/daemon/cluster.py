"""One cluster of the lab: API server, controllers, and the agents of its nodes, in the order they need each other."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from bgplab.backends.embedded.agents.addresses import dns_address
from bgplab.backends.embedded.agents.installed_agent_pods import InstalledAgentPods
from bgplab.backends.embedded.agents.kubelet.addresses import PodAddresses
from bgplab.backends.embedded.agents.kubelet.kubelet import ContainerService, Kubelet, KubeletNode
from bgplab.backends.embedded.agents.kubelet.node_networks import NodeConditions, NodeNetworks
from bgplab.backends.embedded.agents.kubelet.streams import PodStreams, Readable
from bgplab.backends.embedded.agents.node import AGENT_NAMES, NodeAgents
from bgplab.backends.embedded.controllers import start_cilium_controllers, start_kubernetes_controllers
from bgplab.backends.embedded.controllers.runtime import Informers
from bgplab.backends.embedded.daemon.access_files import kubeconfig, write_private
from bgplab.backends.embedded.daemon.settings import ClusterSettings, Settings
from bgplab.backends.embedded.hosts.making import HostMaker, side_by_side
from bgplab.backends.embedded.hosts.switchboard import Host
from bgplab.backends.embedded.kube import KubeServer, ServerSettings
from bgplab.lab.cluster import Cluster
from bgplab.lab.kubernetes_cluster import open_cluster
from bgplab.spec.cilium_images import AGENT_IMAGE, APISERVER_IMAGE, OPERATOR_IMAGE

logger = logging.getLogger(__name__)

INNER_PORT = 6443


class LatePodStreams:
    """The API server starts before the kubelet that it asks for exec and logs; until then there is nothing to ask."""

    def __init__(self) -> None:
        self._streams: PodStreams | None = None

    def connect(self, streams: PodStreams) -> None:
        self._streams = streams

    async def exec(
        self,
        namespace: str,
        pod: str,
        container: str | None,
        argv: list[str],
        tty: bool,
        stdin: Readable | None,
        stdout: Callable[[bytes], Awaitable[None]],
        stderr: Callable[[bytes], Awaitable[None]],
        resize: asyncio.Queue[tuple[int, int]] | None,
    ) -> int:
        if self._streams is None:
            await stderr(b"the kubelet has not started yet\n")
            return 126
        return await self._streams.exec(namespace, pod, container, argv, tty, stdin, stdout, stderr, resize)

    async def logs(
        self, namespace: str, pod: str, container: str | None, *, follow: bool, tail: int | None, previous: bool
    ) -> AsyncIterator[bytes]:
        if self._streams is not None:
            asked = self._streams.logs(namespace, pod, container, follow=follow, tail=tail, previous=previous)
            async for data in asked:
                yield data


class ClusterAssembly:
    """Everything of one cluster that lives in the daemon; it ends with the daemon's process."""

    def __init__(self, number: int, cluster: ClusterSettings, settings: Settings, maker: HostMaker) -> None:
        self._number, self._cluster, self._settings, self._maker = number, cluster, settings, maker
        self._plan = cluster.plan
        self._stop = threading.Event()
        self._pods = LatePodStreams()
        self._serving: asyncio.Task[None] | None = None

    async def serve(self) -> None:
        """Serve the API: on this machine's loopback for users, on the lab's own for controllers and agents."""
        server = KubeServer(
            ServerSettings(service_cidr=str(self._plan.service_cidr), token=self._cluster.token), self._pods
        )
        server.install(self._cluster.seeds)
        outer = socket.socket(fileno=self._settings.sockets.kube[self._plan.name])
        inner = socket.create_server(("127.0.0.1", INNER_PORT + self._number), backlog=256)
        directory = self._settings.directory
        self._serving = asyncio.create_task(
            server.serve([outer, inner], str(directory / "server.crt"), str(directory / "server.key"))
        )

    def start_agents(self, hosts: Mapping[str, Host]) -> None:
        """Controllers, then each node's agents, then the kubelets (blocking; run it in a thread)."""
        cluster = self._client()
        informers = Informers(cluster, self._stop)
        start_kubernetes_controllers(cluster, informers, self._stop)
        node_hosts = {node.name: hosts[node.name] for node in self._plan.nodes}
        agents = NodeAgents(self._plan, cluster, informers, self._stop)
        networks, services = NodeNetworks(), dict[str, ContainerService]()
        version = self._plan.cilium_version
        if self._plan.cilium_installed:
            start_cilium_controllers(cluster, informers, self._stop, cilium_version=version)
            networks = NodeNetworks(node_hosts)
            with side_by_side() as pool:
                list(pool.map(lambda node: agents.start(node, node_hosts[node.name]), self._plan.nodes))
            services = {AGENT_IMAGE: InstalledAgentPods(self._plan.nodes, agents, node_hosts)}
        else:
            # loaded only where they are needed: a lab that has Cilium from the start comes up without them
            from bgplab.backends.embedded.agents.agent_pods import AgentPods, OperatorPods
            from bgplab.backends.embedded.agents.mesh.apiserver_pods import ApiserverPods

            def start_cilium(stop: threading.Event, bgp: bool) -> None:
                start_cilium_controllers(cluster, informers, stop, cilium_version=version, bgp=bgp)

            def pod_host(namespace: str, name: str) -> Host | None:
                return kubelet.own_host(namespace, name)

            NodeConditions(cluster, informers, networks, self._stop)
            services = {
                AGENT_IMAGE: AgentPods(self._plan, cluster, informers, self._stop, agents, node_hosts, networks),
                OPERATOR_IMAGE: OperatorPods(cluster, start_cilium),
                APISERVER_IMAGE: ApiserverPods(cluster, informers, pod_host),
            }

        nodes = {
            node.name: KubeletNode(node.name, node_hosts[node.name], node.address, PodAddresses(node.pod_cidr))
            for node in self._plan.nodes
        }
        kubelet = Kubelet(
            cluster,
            informers,
            self._stop,
            nodes,
            self._maker,
            dns_address(self._plan),
            services=services,
            networks=networks,
        )
        self._pods.connect(PodStreams(kubelet, agents.commands, AGENT_NAMES))
        agents.wait_ready()

    def _client(self) -> Cluster:
        """A client as any other: by a kubeconfig, over TLS, from inside the lab."""
        directory, name = self._settings.directory, self._plan.name
        path = directory / f"kubeconfig-inside-{self._number}"
        server = f"https://127.0.0.1:{INNER_PORT + self._number}"
        text = kubeconfig(directory, self._cluster.token, {name: server})
        write_private(path, text.encode())
        return open_cluster(path, name, name)
