"""A lab on paper: what a lab description may say. Field names are the field's own terms; units are in the names."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Described(BaseModel):
    """Base of every part of a description: unknown fields are refused, values cannot change, defaults are checked."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class Subnet(Described):
    """A network segment: hosts on it reach each other directly, everybody else through a router."""

    name: str
    cidr: IPv4Network


class Router(Described):
    """An FRR router. It forwards between the subnets it has an address in."""

    name: str = "router"
    asn: int = 65000
    router_id: IPv4Address | None = Field(None, description="BGP identifier; the first address when absent")
    addresses: tuple[IPv4Address, ...]
    networks: tuple[IPv4Network, ...] = Field((), description="prefixes the router owns on a loopback and announces")
    maximum_paths: int = 4
    peer_group: str = "CILIUM"

    @property
    def identifier(self) -> IPv4Address:
        return self.router_id or self.addresses[0]


class Node(Described):
    """A Kubernetes node."""

    name: str
    address: IPv4Address
    pod_cidr: IPv4Network
    control_plane: bool = False
    bgp: bool = Field(True, description="carries the label that the BGP cluster configuration selects")


class Timers(Described):
    """BGP timers in seconds (RFC 4271, 4.2 and 8)."""

    connect_retry_seconds: int = 120
    hold_seconds: int = 9
    keepalive_seconds: int = 3


class GracefulRestart(Described):
    """RFC 4724."""

    enabled: bool = True
    restart_seconds: int = 15


class Bgp(Described):
    """The cluster's side of BGP: one instance on every labelled node, peering with every router."""

    asn: int = 65001
    node_label: str = "enable-bgp"
    cluster_config: str = "cilium-bgp"
    peer_config: str = "cilium-peer"
    peer_names: tuple[str, ...] = Field((), description="one per router; `tor-switch`, `tor-switch-2`, … when absent")
    ebgp_multihop: int = 2
    timers: Timers = Timers()
    graceful_restart: GracefulRestart = GracefulRestart()


class Pool(Described):
    """The LoadBalancer IP pool."""

    name: str = "cilium-pool"
    cidr: IPv4Network = IPv4Network("172.16.1.0/24")
    allow_first_last: bool = False


class App(Described):
    """The sample application: a Deployment spread over nodes, its Service, and a client pod."""

    name: str = "webpod"
    namespace: str = "default"
    image: str = "traefik/whoami"
    replicas: int = 3
    port: int = 80
    client: str = "curl-pod"
    client_node: str | None = Field(None, description="node of the client pod; the first node when absent")
    client_image: str = "nicolaka/netshoot"


class ClusterSpec(Described):
    """One Kubernetes cluster with Cilium."""

    name: str = "kubernetes"
    cilium_version: str = "1.18"
    pod_cidr: IPv4Network = IPv4Network("172.20.0.0/16")
    service_cidr: IPv4Network = IPv4Network("10.96.0.0/16")
    nodes: tuple[Node, ...]
    bgp: Bgp = Bgp()
    pool: Pool = Pool()
    app: App = App()
    workloads: tuple[str, ...] = Field((), description="further Kubernetes manifest files, relative to the description")


class Ecmp(Described):
    """The routers' multipath hash (Linux ip-sysctl, fib_multipath_hash_policy, fib_multipath_hash_seed)."""

    hash_policy: Literal[1, 3] = Field(1, description="the policy that step G28 sets; before it the kernel's default 0")
    hash_seed: int | None = None


class LoadTest(Described):
    """How many connections the load tests open."""

    guide_requests: int = Field(100, description="the guide's own number, shown beside")
    requests: int = Field(6000, description="connections on which shares are judged")
    concurrency: int = 32


class LabSpec(Described):
    """A whole lab: subnets, routers, clusters, and how it is tested."""

    name: str
    description: str = ""
    subnets: tuple[Subnet, ...]
    routers: tuple[Router, ...]
    clusters: tuple[ClusterSpec, ...]
    ecmp: Ecmp = Ecmp()
    load_test: LoadTest = LoadTest()

    @property
    def cluster(self) -> ClusterSpec:
        """The only cluster of a BGP lab. Raises ValueError when there are several."""
        (only,) = self.clusters
        return only

    def subnet_of(self, address: IPv4Address) -> Subnet:
        """The subnet an address lies in. Raises KeyError when it lies in none (validation has ruled that out)."""
        for subnet in self.subnets:
            if address in subnet.cidr:
                return subnet
        raise KeyError(str(address))
