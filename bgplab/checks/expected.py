"""What a lab should look like: from its description, the stage it is in, and the Service that is in the cluster."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

from bgplab.checks.stages import reached
from bgplab.observe.endpoint_slices import Endpoints
from bgplab.observe.services import ServiceSeen
from bgplab.spec import derived
from bgplab.spec.model import App, Bgp, ClusterSpec, LabSpec, Node, Router


@dataclass(frozen=True, slots=True)
class Expected:
    """The expectation that checks compare with. service, endpoints: as they are now; they decide who announces what."""

    spec: LabSpec
    stage: str
    service: ServiceSeen | None = None
    endpoints: Endpoints = field(default_factory=lambda: Endpoints(()))

    def reached(self, step: str) -> bool:
        return reached(self.stage, step)

    @property
    def cluster(self) -> ClusterSpec:
        return self.spec.cluster

    @property
    def app(self) -> App:
        return self.cluster.app

    @property
    def bgp(self) -> Bgp:
        return self.cluster.bgp

    @property
    def routers(self) -> tuple[Router, ...]:
        return self.spec.routers

    @property
    def nodes(self) -> tuple[Node, ...]:
        return self.cluster.nodes

    @property
    def bgp_nodes(self) -> tuple[Node, ...]:
        """Nodes that carry the label and so speak BGP, with every router."""
        return tuple(node for node in self.nodes if node.bgp)

    @property
    def bgp_addresses(self) -> set[IPv4Address]:
        """The routers' neighbours."""
        return {node.address for node in self.bgp_nodes}

    @property
    def client_node(self) -> str:
        return derived.client_node(self.cluster).name

    def node(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)

    def node_at(self, address: IPv4Address | None) -> str | None:
        """The node that has this InternalIP."""
        return next((node.name for node in self.nodes if node.address == address), None)

    def peer_names(self) -> dict[IPv4Address, str]:
        """Names of the peers in the cluster configuration, by the router address that nodes dial."""
        names = derived.peer_names(self.spec, self.cluster)
        return {derived.peer_address(router): name for router, name in zip(self.routers, names, strict=True)}

    def same_subnet(self, one: str, other: str) -> bool:
        """Whether two nodes reach each other without a router."""
        return self.spec.subnet_of(self.node(one).address) == self.spec.subnet_of(self.node(other).address)

    @property
    def vip(self) -> IPv4Address | None:
        return self.service.vip if self.service else None

    @property
    def vip_prefix(self) -> IPv4Network | None:
        return IPv4Network(self.vip) if self.vip else None

    @property
    def policy(self) -> str:
        return self.service.external_traffic_policy if self.service else "Cluster"

    @property
    def announcers(self) -> tuple[Node, ...]:
        """Nodes that should announce the VIP: with Local only those with a ready endpoint (cilium-observed.md, 1)."""
        if not self.reached("G21") or not self.vip or not self.service or self.service.type != "LoadBalancer":
            return ()
        if self.policy == "Cluster":
            return self.bgp_nodes
        serving = {endpoint.node for endpoint in self.endpoints.ready}
        return tuple(node for node in self.bgp_nodes if node.name in serving)

    def prefixes_of(self, node: Node) -> set[IPv4Network]:
        """What a node announces to every router."""
        prefixes = {node.pod_cidr}
        if node in self.announcers and self.vip_prefix:
            prefixes.add(self.vip_prefix)
        return prefixes

    def received_from(self, router: Router) -> int:
        """How many prefixes each node receives from a router at this stage."""
        vips = [self.vip_prefix] if self.vip_prefix and self.announcers else []
        return len(derived.received_prefixes(self.spec, self.bgp_nodes[0], router, vips)) if self.bgp_nodes else 0

    def installed_paths(self, router: Router) -> int:
        """How many next hops to the VIP the router's kernel gets."""
        return min(len(self.announcers), router.maximum_paths)
