"""A lab on paper: what a lab description may say. Field names are the field's own terms; units are in the names.

What a single value may be is said by its type (`values.py`); what must hold between values is in `validation.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bgplab.spec.values import (
    Address,
    Asn,
    CiliumVersion,
    ContextName,
    FrrWord,
    HashPolicy,
    Image,
    Label,
    LabelKey,
    Network,
    PeerName,
    Range,
    RouterId,
    ServiceName,
    Switch,
    Text,
)


class Described(BaseModel):
    """Base of every part of a description: unknown fields are refused, values cannot change, defaults are checked."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class Subnet(Described):
    """A network segment: hosts on it reach each other directly, everybody else through a router."""

    name: Label = Field(description="what the description calls it; host and interface names do not depend on it")
    cidr: Network = Field(description="its IPv4 network")


_MAXIMUM_PATHS = Range(1, 256, "FRR 8.4 as Debian builds it: maximum-paths (1-256)")


class Router(Described):
    """An FRR router. It forwards between the subnets it has an address in."""

    name: Label = Field(default="router", description="host name")
    asn: Asn = Field(default=65000, description="AS number")
    router_id: RouterId | None = Field(default=None, description="BGP identifier; the first address when absent")
    addresses: tuple[Address, ...] = Field(
        description="one per subnet; every node peers with the first",
        examples=[["192.168.10.200", "192.168.20.200"]],
    )
    networks: tuple[Network, ...] = Field(
        default=(), description="prefixes the router owns on a loopback and announces"
    )
    maximum_paths: Annotated[int, _MAXIMUM_PATHS] = Field(default=4, description="next hops of one route at most")
    peer_group: FrrWord = Field(default="CILIUM", description="FRR peer group of the nodes")

    @property
    def identifier(self) -> IPv4Address:
        return self.router_id or self.addresses[0]


class Node(Described):
    """A Kubernetes node."""

    name: Label = Field(description="host name and node name")
    address: Address = Field(description="its InternalIP, in one of the subnets")
    pod_cidr: Network = Field(description="addresses of its pods, part of the cluster's pod_cidr")
    control_plane: Switch = Field(default=False, description="runs the Kubernetes API")
    bgp: Switch = Field(default=True, description="carries the label that the BGP cluster configuration selects")


_CRD = "the schema of CiliumBGPPeerConfig"


class Timers(Described):
    """BGP timers in seconds (RFC 4271, 4.2 and 8)."""

    connect_retry_seconds: Annotated[int, Range(1, 2147483647, f"{_CRD} draws the limits")] = Field(
        default=120, description="wait after a failed attempt to connect, at least this and at most twice this"
    )
    hold_seconds: Annotated[
        int,
        Range(
            3,
            65535,
            f"RFC 4271 (4.2) forbids 1 and 2; 0, no keepalives at all, is refused by {_CRD}",
            "write at least 3; the guide uses 9",
        ),
    ] = Field(default=9, description="a silent peer is given up after this time; the smaller one of both sides counts")
    keepalive_seconds: Annotated[
        int, Range(1, 65535, f"{_CRD} draws the limits", "write a third of hold_seconds; the guide uses 3")
    ] = Field(default=3, description="time between two KEEPALIVE messages")


class GracefulRestart(Described):
    """RFC 4724."""

    enabled: Switch = Field(default=True, description="the router keeps a node's routes while its speaker restarts")
    restart_seconds: Annotated[int, Range(1, 4095, "RFC 4724 (3): the restart time has 12 bits")] = Field(
        default=15, description="how long the router keeps them"
    )


class Bgp(Described):
    """The cluster's side of BGP: one instance on every labelled node, peering with every router."""

    asn: Asn = Field(default=65001, description="AS number of all nodes")
    node_label: LabelKey = Field(
        default="enable-bgp", description="key of the label (its value is 'true') of nodes with BGP"
    )
    cluster_config: Label = Field(default="cilium-bgp", description="name of the CiliumBGPClusterConfig")
    peer_config: Label = Field(default="cilium-peer", description="name of the CiliumBGPPeerConfig")
    peer_names: tuple[PeerName, ...] = Field(
        default=(), description="one per router; `tor-switch`, `tor-switch-2`, … when absent"
    )
    ebgp_multihop: Annotated[int, Range(1, 255, f"a TTL; {_CRD} draws the limits")] = Field(
        default=2, description="TTL of packets to the routers; 1 is off"
    )
    timers: Timers = Field(default=Timers(), description="BGP timers of the nodes")
    graceful_restart: GracefulRestart = Field(default=GracefulRestart(), description="graceful restart of the nodes")


class Pool(Described):
    """The LoadBalancer IP pool."""

    name: Label = Field(default="cilium-pool", description="name of the CiliumLoadBalancerIPPool")
    cidr: Network = Field(
        default=IPv4Network("172.16.1.0/24"), description="addresses for Services of type LoadBalancer"
    )
    allow_first_last: Switch = Field(default=False, description="hand out the first and the last address, too")


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


class App(Described):
    """The sample application: a Deployment spread over nodes, its Service, and a client pod."""

    name: ServiceName = Field(default="webpod", description="name of the Deployment and its Service")
    namespace: Label = Field(default="default", description="namespace of all of it")
    image: Image = Field(
        default="traefik/whoami", description="answers HTTP with the pod's name and the client's address"
    )
    replicas: Annotated[int, Range(1, 1000, "there must be somebody to answer")] = Field(
        default=3,
        description="pods, each on a node of its own with BGP; one per such node when absent",
        json_schema_extra=_without_default,
    )
    port: Annotated[int, Range(1, 65535, "a TCP port has 16 bits")] = Field(
        default=80, description="of pods and Service"
    )
    client: Label = Field(default="curl-pod", description="name of the client pod")
    client_node: Label | None = Field(
        default=None, description="node of the client pod; the first with BGP when absent"
    )
    client_image: Image = Field(default="nicolaka/netshoot", description="image of the client pod; has curl")


class Mesh(Described):
    """How the other clusters of a mesh reach this one."""

    node_port: Annotated[
        int, Range(30000, 32767, "Kubernetes: node ports are 30000-32767 unless the API server is told otherwise")
    ] = Field(
        default=32379,
        description="NodePort of clustermesh-apiserver; equal ones in two clusters break reconnects (Cilium #24692)",
    )


def _is_without_bgp(node: Any) -> bool:
    return (node.get("bgp") if isinstance(node, Mapping) else getattr(node, "bgp", None)) is False


class ClusterSpec(Described):
    """One Kubernetes cluster with Cilium."""

    name: Label = Field(default="kubernetes", description="the cluster's name; Cilium's cluster-name, too")
    id: Annotated[int, Range(0, 255, "Cilium's cluster-id: 1-255 in a mesh, 0 outside of one")] = Field(
        default=0, description="Cilium's cluster-id; 0 is no member of a mesh"
    )
    context: ContextName | None = Field(
        default=None,
        description="the cluster's context in the kubeconfig; its name when absent",
        examples=["kind-west"],
    )
    cilium_version: CiliumVersion = Field(
        default="1.18", description="the Cilium version it stands for, quoted", examples=["1.18", "1.17.6"]
    )
    cilium_installed: Switch = Field(
        default=True, description="Cilium is there from the start; else nodes are NotReady until it is installed"
    )
    pod_cidr: Network = Field(default=IPv4Network("172.20.0.0/16"), description="holds the pod_cidr of every node")
    service_cidr: Network = Field(default=IPv4Network("10.96.0.0/16"), description="cluster IPs of Services")
    nodes: tuple[Node, ...] = Field(description="the nodes, or a template that makes them: {count: 10}")
    bgp: Bgp = Field(default=Bgp(), description="the nodes' side of BGP")
    mesh: Mesh = Field(default=Mesh(), description="how the other clusters of a mesh reach this one")
    pool: Pool = Field(default=Pool(), description="the LoadBalancer IP pool")
    app: App = Field(default=App(), description="the sample application")
    workloads: tuple[Text, ...] = Field(
        default=(),
        description="further Kubernetes manifest files, relative to the description (absolute once it is loaded)",
        examples=[["my-app.yaml"]],
    )

    @property
    def context_name(self) -> str:
        """What the kubeconfig calls the cluster's context."""
        return self.context or self.name

    @model_validator(mode="before")
    @classmethod
    def _one_replica_per_node(cls, data: Any) -> Any:
        """The guide's three pods on three nodes, as a rule that holds for any number of nodes.

        The nodes are those that `derived.app_nodes` names, told from data that nobody has judged yet.
        """
        if not isinstance(data, Mapping) or not isinstance(nodes := data.get("nodes"), list | tuple) or not nodes:
            return data
        app = data.get("app", {})
        if isinstance(app, App):
            app = app.model_dump(exclude_unset=True)
        if not isinstance(app, Mapping):
            return data
        silent = 0 if data.get("id") else sum(_is_without_bgp(node) for node in nodes)
        return {**data, "app": {"replicas": len(nodes) - silent or len(nodes), **app}}


class Ecmp(Described):
    """The routers' multipath hash (Linux ip-sysctl, fib_multipath_hash_policy, fib_multipath_hash_seed)."""

    hash_policy: HashPolicy = Field(
        default=1,
        description="the policy that step G28 sets (3: with ports among its fields); before it the kernel's default 0",
    )
    hash_seed: (
        Annotated[
            int,
            Range(
                1,
                4294967295,
                "the kernel's seed has 32 bits, and 0 means a random one",
                "leave it out for a random seed, or write a number from 1 to 4294967295",
            ),
        ]
        | None
    ) = Field(default=None, description="makes the hash repeatable (Linux 6.11 or later); random when absent")

    @property
    def hash_fields(self) -> int | None:
        """What G28 sets beside policy 3 (fib_multipath_hash_fields): addresses, protocol and ports.

        The kernel's own choice is without ports, by which all connections of a client would keep to one way.
        """
        return 0x37 if self.hash_policy == 3 else None


class LoadTest(Described):
    """How many connections the load tests open."""

    guide_requests: Annotated[int, Range(1, 100_000, "it is the small test, shown beside the judged one")] = Field(
        default=100, description="the guide's own number, shown beside"
    )
    requests: Annotated[int, Range(1, 10_000_000, "each is a connection of its own and a record in the results")] = (
        Field(
            default=6000,
            description="connections on which shares are judged; 3,000 at least for a verdict. Above 60,535 source"
            " ports are used again, and count once each",
        )
    )
    concurrency: Annotated[int, Range(1, 10_000, "each holds a socket and a source port")] = Field(
        default=32, description="connections open at the same time"
    )


class LabSpec(Described):
    """A whole lab: subnets, routers, clusters, and how it is tested."""

    name: Label = Field(description="name of the lab", examples=["guide"])
    description: Text = Field(default="", description="what it is for, for people")
    subnets: tuple[Subnet, ...] = Field(description="the network segments")
    routers: tuple[Router, ...] = Field(description="the FRR routers; every node peers with each")
    clusters: tuple[ClusterSpec, ...] = Field(description="the Kubernetes clusters; a BGP lab has one")
    ecmp: Ecmp = Field(default=Ecmp(), description="the routers' multipath hash")
    load_test: LoadTest = Field(default=LoadTest(), description="sizes of the load tests")

    @property
    def cluster(self) -> ClusterSpec:
        """The only cluster of a BGP lab. Raises ValueError when there are several."""
        (only,) = self.clusters
        return only

    @property
    def is_mesh(self) -> bool:
        """Whether there are several clusters."""
        return len(self.clusters) > 1

    def subnet_of(self, address: IPv4Address) -> Subnet:
        """The subnet an address lies in. Raises KeyError when it lies in none (validation has ruled that out)."""
        for subnet in self.subnets:
            if address in subnet.cidr:
                return subnet
        raise KeyError(str(address))
