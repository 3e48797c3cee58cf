"""A lab in which everything is right, as observations made by hand from its description; tests then break one thing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from bgplab.checks.all import all_checks
from bgplab.checks.expected import Expected
from bgplab.checks.finding import Finding
from bgplab.checks.load_evidence import connections_for
from bgplab.checks.peering import base_lines
from bgplab.observe.bgp_node_configs import ClusterConfigs, NodeConfigs, NodeConfigSeen, PeerStatus
from bgplab.observe.cilium_agents import AgentStatus
from bgplab.observe.cilium_bgp import AgentPeer, AgentPeers, AgentRoute, AgentRoutes, RoutePolicies, RoutePolicy
from bgplab.observe.cluster_info import CiliumConfig, ClusterInfo
from bgplab.observe.endpoint_slices import Endpoint, Endpoints
from bgplab.observe.flows import Flow, FlowRecords
from bgplab.observe.frr_bgp import (
    BgpPath,
    BgpSummaries,
    BgpSummary,
    BgpTable,
    BgpTables,
    Neighbor,
    Neighbors,
    SummaryPeer,
)
from bgplab.observe.frr_config import FrrConfig, RunningConfigs, StartupConfigs
from bgplab.observe.frr_service import FrrLog, FrrLogs, FrrService, FrrServices
from bgplab.observe.hosts import HostsAnswering
from bgplab.observe.http import PodRequests, Request, SourcesSeen, VipRequests, Whoami
from bgplab.observe.kernel_routes import KernelRoute, NextHop, NodeRoutes, RouterRoutes, RouteTable
from bgplab.observe.lb_pools import Pools, PoolSeen
from bgplab.observe.load import Load, LoadRuns
from bgplab.observe.nodes import Nodes, NodeSeen
from bgplab.observe.pod_move import Move, PodsMoved
from bgplab.observe.pods import Pods, PodSeen
from bgplab.observe.services import AppService, ServiceSeen
from bgplab.observe.sysctl import Assignment, HashPolicies, HashPolicyFiles, HashPolicyRestored
from bgplab.spec import derived
from bgplab.spec.model import LabSpec, Router
from bgplab.traffic.prober import COLUMNS
from bgplab.traffic.records import Probe

PORTS = (38988, 80)  # of the client, of the application


@dataclass(frozen=True)
class World:
    """Observations by type, for one stage."""

    spec: LabSpec
    stage: str
    seen: dict[type, Any]

    def judge(self, id: str) -> Finding:
        check = all_checks()[id]
        return check.judge(*(self.seen[kind] for kind in check.needs), self.expected)

    @property
    def expected(self) -> Expected:
        return Expected(self.spec, self.stage, self.seen[AppService].service, self.seen[Endpoints])

    def but(self, *others: Any) -> World:
        """The same world, seen differently in these observations."""
        return World(self.spec, self.stage, {**self.seen, **{type(other): other for other in others}})


def pod_name(node: str) -> str:
    return f"webpod-7d4f8-{node}"


def right_world(spec: LabSpec, stage: str) -> World:
    """Stages: G01, G03, G07, G08, G09, G10, G11, G15, G18, G19, G21, G24, G28 (and later)."""
    at = int(stage[1:])
    cluster, app = spec.cluster, spec.cluster.app
    nodes, routers = cluster.nodes, spec.routers
    speaking = [node for node in nodes if node.bgp]
    pods = [
        PodSeen(pod_name(node.name), "default", node.name, node.pod_cidr[11], "Running", True, False, {"app": app.name})
        for node in nodes
    ]
    client_home = derived.client_node(cluster)
    client = PodSeen(app.client, "default", client_home.name, client_home.pod_cidr[4], "Running", True, False, {})
    endpoints = Endpoints(tuple(Endpoint(pod.address, pod.node, pod.name) for pod in pods))
    vip = cluster.pool.cidr[1] if at >= 19 else None
    vip_prefix = IPv4Network(vip) if vip and at >= 21 else None
    policy = "Local" if at >= 24 else "Cluster"
    service = ServiceSeen(
        app.name,
        app.namespace,
        "LoadBalancer" if at >= 19 else "ClusterIP",
        cluster.service_cidr[77],
        (vip,) if vip else (),
        policy,
        (app.port,),
        "satisfied" if vip else None,
    )
    hash_policy = spec.ecmp.hash_policy if at >= 28 else 0
    used = {router.name: [node.address for node in speaking[: router.maximum_paths]] for router in routers}
    up = at >= 11
    peers_there = at >= 8
    own = 2 if vip_prefix else 1
    loops = len(speaking) + (1 if vip_prefix else 0)
    running = {router.name: _config(spec, router, peers_there) for router in routers}
    subnet_of = spec.subnet_of
    near = [pod for pod in pods if subnet_of(_home(spec, pod)) == subnet_of(client_home.address)]
    reachable = pods if at >= 15 else near
    kernel = {
        router.name: RouteTable(
            (
                *(
                    KernelRoute(subnet_of(address).cidr, "kernel", (NextHop(None, f"eth{number}"),))
                    for number, address in enumerate(router.addresses, start=1)
                ),
                *(KernelRoute(node.pod_cidr, "bgp", (_hop(spec, router, node.address),)) for node in speaking if up),
                *(
                    [KernelRoute(vip_prefix, "bgp", tuple(_hop(spec, router, hop) for hop in used[router.name]))]
                    if vip_prefix
                    else []
                ),
            )
        )
        for router in routers
    }
    tables = {
        router.name: BgpTable(
            (
                *(BgpPath(network, IPv4Address(0), None, best=True) for network in router.networks),
                *(BgpPath(node.pod_cidr, node.address, node.address, best=True) for node in speaking if up),
                *(
                    BgpPath(
                        vip_prefix,
                        node.address,
                        node.address,
                        best=node == speaking[0],
                        multipath=node.address in used[router.name],
                        selection_reason="Router ID" if node == speaking[0] else None,
                    )
                    for node in speaking
                    if vip_prefix
                ),
            )
        )
        for router in routers
    }
    usable = cluster.pool.cidr.num_addresses - 2
    held = 1 if vip else 0
    received = {router.name: len(router.networks) + loops for router in routers}
    expected = Expected(spec, stage, service, endpoints)
    seen: list[Any] = [
        HostsAnswering({name: name for name in derived.host_names(spec)}, {}),
        Nodes(
            tuple(
                NodeSeen(
                    node.name,
                    node.address,
                    True,
                    node.pod_cidr,
                    {cluster.bgp.node_label: "true"} if node.bgp and at >= 10 else {},
                )
                for node in nodes
            )
        ),
        ClusterInfo(("kube-dns",)),
        AgentStatus({node.name: ("Ok", "1.18.0") for node in nodes}),
        CiliumConfig(
            {
                "enable-bgp-control-plane": "true",
                "enable-bgp-control-plane-status-report": "true",
                "bgp-router-id-allocation-mode": "default",
                "bgp-secrets-namespace": "kube-system",
            }
        ),
        Pods((*pods, client)),
        AppService(service),
        endpoints,
        pod_requests(client, reachable, [pod for pod in pods if pod not in reachable], times=12 * 60),
        RunningConfigs(running),
        StartupConfigs(running),
        BgpSummaries(
            {
                router.name: BgpSummary(
                    router.identifier,
                    router.asn,
                    tuple(
                        SummaryPeer(
                            node.address,
                            "Established" if up else "Active",
                            cluster.bgp.asn if up else 0,
                            own if up else 0,
                            1 if up else 0,
                            0,
                        )
                        for node in speaking
                        if peers_there
                    ),
                )
                for router in routers
            }
        ),
        FrrServices({router.name: FrrService(True, 1000.5, 999.2) for router in routers}),
        FrrLogs(
            {
                router.name: FrrLog(
                    frozenset({"zebra", "bgpd", "staticd"}), True, frozenset(node.address for node in speaking if up)
                )
                for router in routers
            }
        ),
        NodeConfigs(
            tuple(
                NodeConfigSeen(
                    node.name,
                    "cilium-bgp",
                    tuple(PeerStatus("tor-switch", router.addresses[0], "established") for router in routers),
                )
                for node in speaking
                if up
            )
        ),
        ClusterConfigs({"cilium-bgp": ()} if up else {}),
        AgentPeers(
            {
                node.name: tuple(
                    AgentPeer(
                        cluster.bgp.asn,
                        router.asn,
                        router.addresses[0],
                        "established",
                        9,
                        3,
                        received[router.name],
                        len(router.networks),
                        own + 1,
                    )
                    for router in routers
                )
                if up and node.bgp
                else ()
                for node in nodes
            }
        ),
        AgentRoutes(
            {
                node.name: tuple(
                    AgentRoute(cluster.bgp.asn, prefix, IPv4Address(0))
                    for prefix in (node.pod_cidr, *([vip_prefix] if vip_prefix else []))
                )
                for node in speaking
                if up
            }
        ),
        Neighbors(
            {
                router.name: tuple(
                    Neighbor(node.address, "Established", 9.0, 3.0, 1763996400.0, True, None) for node in speaking if up
                )
                for router in routers
            }
        ),
        RouterRoutes(kernel),
        NodeRoutes(
            {
                node.name: RouteTable(
                    (
                        KernelRoute(IPv4Network("0.0.0.0/0"), "boot", (NextHop(IPv4Address("192.0.2.2"), "eth0"),)),
                        *([_pod_route(spec, node)] if at >= 15 else []),
                    )
                )
                for node in nodes
            }
        ),
        FlowRecords(
            tuple(
                Flow(
                    source,
                    destination,
                    "FORWARDED",
                    frozenset(flags),
                    *(PORTS if source == app.client else PORTS[::-1]),
                )
                for pod in pods
                for source, destination in ((app.client, pod.name), (pod.name, app.client))
                for flags in ({"SYN"}, {"SYN", "ACK"}, {"ACK", "PSH"}, {"ACK", "FIN"})
            )
        ),
        Pools(
            (PoolSeen("cilium-pool", (cluster.pool.cidr,), False, False, None, usable + 2, usable - held, 2 + held),)
            if at >= 18
            else ()
        ),
        RoutePolicies(
            {
                node.name: (
                    RoutePolicy(cluster.bgp.asn, "allow-local", "import", ()),
                    *(
                        policy_
                        for name in derived.peer_names(spec, cluster)
                        for policy_ in (
                            RoutePolicy(cluster.bgp.asn, f"{name}-ipv4-PodCIDR", "export", (node.pod_cidr,)),
                            *(
                                [
                                    RoutePolicy(
                                        cluster.bgp.asn,
                                        f"{name}-ipv4-Service-webpod-default-LoadBalancerIP",
                                        "export",
                                        (vip_prefix,),
                                    )
                                ]
                                if vip_prefix
                                else []
                            ),
                        )
                    ),
                )
                for node in speaking
            }
        ),
        BgpTables(tables),
        vip_requests(spec, vip or IPv4Address("172.16.1.1"), policy),
        SourcesSeen(
            vip_requests(spec, vip or IPv4Address("172.16.1.1"), "Local"),
            vip_requests(spec, vip or IPv4Address("172.16.1.1"), "Cluster"),
        ),
        PodsMoved(
            tuple(sorted(node.name for node in speaking)),
            tuple(
                Move(len(names), router.name, tuple(names), tuple(names), 0.31, 75, 0)
                for names in (
                    sorted(node.name for node in speaking)[:-1],
                    sorted(node.name for node in speaking),
                )
                for router in routers
            ),
            150,
            1,
        ),
        HashPolicies({router.name: hash_policy for router in routers}),
        HashPolicyFiles(
            {
                router.name: (Assignment("/etc/sysctl.d/90-bgp-lab.conf", str(hash_policy)),) if at >= 28 else ()
                for router in routers
            }
        ),
        HashPolicyRestored({router.name: spec.ecmp.hash_policy for router in routers} if at >= 28 else {}),
        LoadRuns(
            vip or IPv4Address("172.16.1.1"),
            {
                router.name: load_from(spec, router, even=at >= 28, connections=connections_for(expected, router))
                for router in routers
            },
        ),
    ]
    return World(spec, stage, {type(each): each for each in seen})


def _home(spec: LabSpec, pod: PodSeen) -> IPv4Address:
    return derived.node_named(spec, pod.node or "").address


def _config(spec: LabSpec, router: Router, with_peers: bool) -> FrrConfig:
    from bgplab.spec import frr

    lines = (*base_lines(router), *(frr.peer_lines(spec, router) if with_peers else ()))
    return FrrConfig("8.4.4", router.asn, lines)


def _hop(spec: LabSpec, router: Router, address: IPv4Address) -> NextHop:
    """Out of the router's interface in the next hop's subnet; by eth1 when it has none there (not judged then)."""
    subnet = spec.subnet_of(address)
    devices = [f"eth{number}" for number, own in enumerate(router.addresses, start=1) if own in subnet.cidr]
    return NextHop(address, devices[0] if devices else "eth1")


def _pod_route(spec: LabSpec, node: Any) -> KernelRoute:
    route = derived.pod_route(spec, node)
    return KernelRoute(route.prefix, "boot", (NextHop(route.via, "eth1"),))


def answer(pod: str, address: IPv4Address, remote: IPv4Address) -> Request:
    return Request(0, 200, 0.004, True, Whoami(pod, (IPv4Address("127.0.0.1"), address), remote, PORTS[0]))


def time_out() -> Request:
    return Request(28, 0, 1.001, True, None)


def pod_requests(client: PodSeen, reachable: Sequence[PodSeen], silent: Sequence[PodSeen], times: int) -> PodRequests:
    """Through the Service each pod gets the same number of requests; those to silent pods time out."""
    pods = [*reachable, *silent]
    replies = {pod.name: answer(pod.name, pod.address, client.address) for pod in reachable}
    return PodRequests(
        client.name,
        tuple(replies.get(pods[number % len(pods)].name) or time_out() for number in range(times)),
        {pod.address: replies.get(pod.name) or time_out() for pod in pods},
    )


def vip_requests(spec: LabSpec, vip: IPv4Address, policy: str) -> VipRequests:
    """Local: pods see the router. Cluster: all connections enter at the first node, which passes most of them on."""
    nodes = spec.cluster.nodes
    entered = nodes[0]

    def one(router: Router, number: int) -> Request:
        home = nodes[number % len(nodes)]
        crossed = policy == "Cluster" and home != entered
        return answer(pod_name(home.name), home.pod_cidr[11], entered.address if crossed else router.addresses[0])

    return VipRequests(
        vip, policy, {router.name: tuple(one(router, number) for number in range(30)) for router in spec.routers}
    )


def load_from(spec: LabSpec, router: Router, *, even: bool, connections: int = 6000) -> Load:
    nodes = [node.name for node in spec.cluster.nodes if node.bgp][: router.maximum_paths]
    places = nodes if even else nodes[:1]
    return Load(
        probe_of(router, [places[number % len(places)] for number in range(100)]),
        probe_of(router, [places[number % len(places)] for number in range(connections)]),
    )


def probe_of(router: Router, nodes: Sequence[str], error: str = "") -> Probe:
    """A prober's records: one connection to the pod of each of these nodes, from the router's first address."""
    source = str(router.addresses[0])
    rows = [
        (
            number,
            1_763_996_400_000_000_000 + number * 1_000_000,
            300,
            900,
            1000,
            source,
            20000 + number,
            None if error else pod_name(node),
            None if error else f"{source}:{20000 + number}",
            None if error else 200,
            error,
        )
        for number, node in enumerate(nodes)
    ]
    columns = dict(zip(COLUMNS, (list(column) for column in zip(*rows, strict=True)), strict=True))
    return Probe(router.name, "python3 prober.py", columns, {"per_second": 5000.0})
