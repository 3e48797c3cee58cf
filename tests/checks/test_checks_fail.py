"""Every check fails for its own reason: one thing is broken in a right world, and the reason names it."""

# ruff: noqa: E501  (the faults are a table, one line each)

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest
from right_world import World, answer, load_from, pod_name, probe_of, right_world, time_out

from bgplab.checks.all import all_checks
from bgplab.checks.finding import Verdict
from bgplab.observe.bgp_node_configs import ClusterConfigs, NodeConfigs, PeerStatus
from bgplab.observe.cilium_agents import AgentStatus
from bgplab.observe.cilium_bgp import AgentPeers, AgentRoutes, RoutePolicies
from bgplab.observe.cluster_info import CiliumConfig
from bgplab.observe.endpoint_slices import Endpoints
from bgplab.observe.flows import FlowRecords
from bgplab.observe.frr_bgp import BgpPath, BgpSummaries, BgpTable, BgpTables, Neighbors, SummaryPeer
from bgplab.observe.frr_config import RunningConfigs, StartupConfigs
from bgplab.observe.frr_service import FrrLogs, FrrService, FrrServices
from bgplab.observe.hosts import HostsAnswering
from bgplab.observe.http import PodRequests, SourcesSeen, VipRequests
from bgplab.observe.kernel_routes import KernelRoute, NextHop, NodeRoutes, RouterRoutes, RouteTable
from bgplab.observe.lb_pools import Pools
from bgplab.observe.load import LoadRuns
from bgplab.observe.nodes import Nodes
from bgplab.observe.pod_move import PodsMoved
from bgplab.observe.pods import Pods
from bgplab.observe.services import AppService
from bgplab.observe.sysctl import Assignment, HashPolicies, HashPolicyFiles, HashPolicyRestored
from bgplab.spec.loading import load_lab

GUIDE = load_lab(Path(__file__).parents[2] / "deployments" / "labs" / "guide.yaml")
ROUTER, CTR, W1, W0 = "router", "k8s-ctr", "k8s-w1", "k8s-w0"
W0_ADDRESS, W1_ADDRESS, CTR_ADDRESS = (IPv4Address(a) for a in ("192.168.20.100", "192.168.10.101", "192.168.10.100"))
W0_POD = IPv4Address("172.20.2.11")
VIP = IPv4Network("172.16.1.1/32")
Break = Callable[[World], World]


def per(kind: type, where: str, change: Callable[[Any], Any]) -> Break:
    """Change what was seen in one place (a router, a node) of an observation."""

    def apply(world: World) -> World:
        seen = world.seen[kind]
        (name,) = (item.name for item in dataclasses.fields(seen) if isinstance(getattr(seen, item.name), Mapping))
        places = dict(getattr(seen, name))
        places[where] = change(places[where])
        return world.but(replace(seen, **{name: places}))

    return apply


def each(kind: type, field: str, change: Callable[[Any], Any]) -> Break:
    """Change (or with None drop) every item of an observation's tuple."""

    def apply(world: World) -> World:
        seen = world.seen[kind]
        changed = (change(item) for item in getattr(seen, field))
        return world.but(replace(seen, **{field: tuple(item for item in changed if item is not None)}))

    return apply


def drop(*names: object) -> Callable[[Any], Any]:
    return lambda item: None if getattr(item, "name", None) in names else item


def only(name: str, **changes: Any) -> Callable[[Any], Any]:
    return lambda item: replace(item, **changes) if item.name == name else item


def instead(observation: Any) -> Break:
    return lambda world: world.but(observation)


def peer(address: IPv4Address, **changes: Any) -> Callable[[Any], Any]:
    return lambda peers: tuple(replace(item, **changes) if item.address == address else item for item in peers)


def summary(address: IPv4Address, **changes: Any) -> Callable[[Any], Any]:
    return lambda seen: replace(seen, peers=peer(address, **changes)(seen.peers))


def without_line(line: str) -> Callable[[Any], Any]:
    return lambda config: replace(config, bgp_lines=tuple(each for each in config.bgp_lines if each != line))


def route(prefix: str, **changes: Any) -> Callable[[Any], Any]:
    """Change a route of a table, or with gone=True take it out."""

    def apply(table: RouteTable) -> RouteTable:
        found = [item for item in table.routes if item.prefix != IPv4Network(prefix)]
        if "gone" not in changes:
            found += [replace(item, **changes) for item in table.routes if item.prefix == IPv4Network(prefix)]
        return RouteTable(tuple(found))

    return apply


def path(next_hop: IPv4Address, **changes: Any) -> Callable[[Any], Any]:
    """Change a path to the VIP, or with gone=True take it out."""

    def apply(table: BgpTable) -> BgpTable:
        mine = [item for item in table.all_paths if (item.prefix, item.next_hop) == (VIP, next_hop)]
        others = [item for item in table.all_paths if item not in mine]
        return BgpTable((*others, *(() if "gone" in changes else (replace(item, **changes) for item in mine))))

    return apply


def to_far_pod(request: Any) -> Callable[[PodRequests], PodRequests]:
    return lambda seen: replace(seen, by_address={**seen.by_address, W0_POD: request})


def requests(change: Callable[[PodRequests], PodRequests]) -> Break:
    return lambda world: world.but(change(world.seen[PodRequests]))


def by_name(change: Callable[[int, Any], Any]) -> Callable[[PodRequests], PodRequests]:
    return lambda seen: replace(seen, by_name=tuple(change(number, item) for number, item in enumerate(seen.by_name)))


def service(**changes: Any) -> Break:
    return lambda world: world.but(AppService(replace(world.seen[AppService].service, **changes)))


def both(*breaks: Break) -> Break:
    def apply(world: World) -> World:
        for one in breaks:
            world = one(world)
        return world

    return apply


def moved(**changes: Any) -> Break:
    """Every change of the number of pods, seen otherwise."""
    return each(PodsMoved, "moves", lambda move: replace(move, **changes))


def as_seen(pod: str, remote: str) -> Any:
    return answer(pod, W0_POD, IPv4Address(remote))


FAR = answer(pod_name(W0), W0_POD, IPv4Address("172.20.0.4"))
BGP_ROUTE = KernelRoute(IPv4Network("172.20.2.0/24"), "bgp", (NextHop(IPv4Address("192.168.10.200"), "eth1"),))
VIP_ROUTE = KernelRoute(VIP, "bgp", (NextHop(CTR_ADDRESS, "eth1"),))
ROUTER_SPEC = GUIDE.routers[0]


def loaded(nodes: list[str], error: str = "") -> Break:
    def apply(world: World) -> World:
        runs = world.seen[LoadRuns]
        load = replace(load_from(GUIDE, ROUTER_SPEC, even=True), large=probe_of(ROUTER_SPEC, nodes, error))
        return world.but(LoadRuns(runs.vip, {ROUTER: load}))

    return apply


SPREAD = [CTR, W1, W0] * 2000
#: The kernel and the traffic have two nodes of three, evenly, and so agree with each other.
TWO_OF_THREE = both(
    per(
        RouterRoutes,
        ROUTER,
        route("172.16.1.1/32", next_hops=(NextHop(CTR_ADDRESS, "eth1"), NextHop(W1_ADDRESS, "eth1"))),
    ),
    loaded([CTR, W1] * 3000),
)

#: id, stage, what is broken, how, what the reason must say.
FAULTS: list[tuple[str, str, str, Break, str]] = [
    ("G01", "G01", "a host is dead", instead(HostsAnswering({ROUTER: ROUTER, CTR: CTR, W1: W1}, {W0: "no SSH"})), "k8s-w0 does not answer: no SSH"),
    ("G01", "G01", "a host is another", instead(HostsAnswering({ROUTER: ROUTER, CTR: CTR, W1: "k8s-w9", W0: W0}, {})), "k8s-w1 calls itself k8s-w9"),
    ("G01", "G01", "a node is not Ready", each(Nodes, "nodes", only(W0, ready=False)), "not Ready: k8s-w0"),
    ("G01", "G01", "a node has another address", each(Nodes, "nodes", only(W0, address=CTR_ADDRESS)), "missing k8s-w0 192.168.20.100"),
    ("G01", "G01", "a fourth node", lambda world: world.but(Nodes((*world.seen[Nodes].nodes, replace(world.seen[Nodes].nodes[0], name="k8s-w9")))), "unexpected k8s-w9"),
    ("G02", "G01", "an agent fails", per(AgentStatus, W1, lambda _: ("Failure", "no datapath")), "cilium on k8s-w1 is Failure: no datapath"),
    ("G02", "G01", "an agent is missing", instead(AgentStatus({CTR: ("Ok", ""), W1: ("Ok", "")})), "cilium pods run: missing k8s-w0"),
    ("G02", "G01", "BGP is off", lambda world: world.but(CiliumConfig({**world.seen[CiliumConfig].values, "enable-bgp-control-plane": "false"})), "enable-bgp-control-plane is 'false'"),
    ("G03", "G03", "a pod is gone", both(each(Pods, "pods", drop(pod_name(W0)))), "2 of 3 pods run"),
    ("G03", "G03", "a pod is Pending", each(Pods, "pods", only(pod_name(W0), phase="Pending", ready=False)), "2 of 3 pods run .*k8s-w0 Pending"),
    ("G03", "G03", "a pod has no image", each(Pods, "pods", only(pod_name(W0), phase="Pending", ready=False, waits_for="ErrImagePull: none")), "2 of 3 pods run .*k8s-w0 Pending: ErrImagePull: none"),
    ("G03", "G03", "the client has no node", each(Pods, "pods", only("curl-pod", phase="Pending", ready=False, node=None, waits_for="Unschedulable: 0/3")), r"expected Running on k8s-ctr \(Unschedulable: 0/3\)"),
    ("G03", "G03", "two pods on one node", each(Pods, "pods", only(pod_name(W0), node=W1)), "more than one pod on k8s-w1"),
    ("G03", "G03", "a pod has a foreign address", each(Pods, "pods", only(pod_name(W0), address=IPv4Address("10.0.0.9"))), "10.0.0.9, not one of 172.20.2.0/24"),
    ("G03", "G03", "the client is elsewhere", each(Pods, "pods", only("curl-pod", node=W1)), "curl-pod is Running on k8s-w1, expected Running on k8s-ctr"),
    ("G03", "G03", "an endpoint is missing", lambda world: world.but(Endpoints(world.seen[Endpoints].endpoints[:2])), "ready endpoints: missing 172.20.2.11"),
    ("G03", "G03", "no Service", instead(AppService(None)), "has no cluster IP"),
    ("G04", "G03", "a near pod is silent", requests(lambda seen: replace(seen, by_address={**seen.by_address, IPv4Address("172.20.1.11"): time_out()})), "172.20.1.11 on k8s-w1 did not answer: curl exit 28"),
    ("G04", "G03", "nobody answers by name", requests(by_name(lambda _, request: time_out())), "by the name webpod none of"),
    ("G04", "G03", "somebody else answers", requests(lambda seen: replace(seen, by_address={**seen.by_address, IPv4Address("172.20.1.11"): FAR})), "172.20.1.11 answered as webpod-7d4f8-k8s-w0"),
    ("G05", "G03", "the source is translated", requests(by_name(lambda number, request: as_seen(pod_name(W1), "192.168.10.100") if number == 0 else request)), "pods saw 192.168.10.100 instead of 172.20.0.4"),
    ("G06", "G03", "the far pod answers", requests(to_far_pod(FAR)), "on k8s-w0: answered in .* expected a time-out"),
    ("G06", "G03", "the far pod answers through the Service", requests(by_name(lambda number, request: FAR if number == 2 else request)), "k8s-w0 answered through the Service"),
    ("G06", "G03", "far requests are refused", requests(to_far_pod(replace(time_out(), exit_status=7))), "curl exit 7"),
    ("G06", "G03", "names do not resolve", requests(by_name(lambda number, request: replace(time_out(), resolved=False) if not request.answered else request)), "240 requests failed otherwise: the name did not resolve"),
    ("G06", "G03", "too many time-outs", requests(by_name(lambda number, request: time_out() if number % 2 else request)), "through the Service 480 of 720 timed out, expected 33.3%"),
    ("G07", "G07", "no router bgp", per(RunningConfigs, ROUTER, lambda config: replace(config, asn=None, bgp_lines=())), "router: no `router bgp`"),
    ("G07", "G07", "another AS", per(RunningConfigs, ROUTER, lambda config: replace(config, asn=65009)), "`router bgp 65009`, expected 65000"),
    ("G07", "G07", "a line is missing", per(RunningConfigs, ROUTER, without_line("bgp bestpath as-path multipath-relax")), "`bgp bestpath as-path multipath-relax` is missing"),
    ("G07", "G07", "a neighbour too early", per(BgpSummaries, ROUTER, lambda seen: replace(seen, peers=(SummaryPeer(W0_ADDRESS, "Active", 0, 0, 0, 0),))), "neighbours: unexpected 192.168.20.100"),
    ("G08", "G08", "a neighbour is missing", per(BgpSummaries, ROUTER, lambda seen: replace(seen, peers=seen.peers[:2])), "router: neighbours: missing 192.168.20.100"),
    ("G08", "G08", "not saved", per(StartupConfigs, ROUTER, without_line("neighbor 192.168.20.100 peer-group CILIUM")), "in the startup configuration: missing 192.168.20.100"),
    ("G08", "G08", "established too early", per(BgpSummaries, ROUTER, summary(W1_ADDRESS, state="Established")), "192.168.10.101 is Established before the nodes speak BGP"),
    ("G08", "G08", "shut down", per(BgpSummaries, ROUTER, summary(W1_ADDRESS, state="Idle (Admin)")), r"192.168.10.101 is Idle \(Admin\)"),
    ("G08", "G08", "a foreign neighbour", per(RunningConfigs, ROUTER, lambda config: replace(config, bgp_lines=(*config.bgp_lines, "neighbor 192.168.10.9 peer-group CILIUM"))), "running configuration: unexpected 192.168.10.9"),
    ("G08", "G08", "remote-as is missing", per(RunningConfigs, ROUTER, without_line("neighbor CILIUM remote-as external")), "CILIUM is not `remote-as external`"),
    ("G09", "G09", "not restarted since the write", per(FrrServices, ROUTER, lambda _: FrrService(True, 900.0, 999.0)), "bgpd started at 900.0, the configuration was written at 999.0"),
    ("G09", "G09", "not running", per(FrrServices, ROUTER, lambda _: FrrService(False, None, 999.0)), "frr is not active"),
    ("G09", "G09", "a daemon read nothing", per(FrrLogs, ROUTER, lambda log: replace(log, read_by=frozenset({"zebra", "staticd"}))), "`Configuration Read`: missing bgpd"),
    ("G09", "G09", "not all up", per(FrrLogs, ROUTER, lambda log: replace(log, all_daemons_up=False)), "not logged `all daemons up`"),
    ("G09", "G09", "neighbours were lost", per(BgpSummaries, ROUTER, lambda seen: replace(seen, peers=())), "neighbours: missing 192.168.10.100"),
    ("G10", "G10", "a label is missing", each(Nodes, "nodes", only(W0, labels={})), "missing k8s-w0"),
    ("G11", "G11", "no node configuration", each(NodeConfigs, "configs", drop(W0)), "node configurations: missing k8s-w0"),
    ("G11", "G11", "a session is down at the node", per(AgentPeers, W1, peer(IPv4Address("192.168.10.200"), state="active")), "k8s-w1: established peers: missing 192.168.10.200"),
    ("G11", "G11", "a session is down at the router", per(Neighbors, ROUTER, peer(W0_ADDRESS, state="Active")), "established neighbours: missing 192.168.20.100"),
    ("G11", "G11", "another hold time", per(Neighbors, ROUTER, peer(W0_ADDRESS, hold_seconds=180.0)), "192.168.20.100 has hold 180 s"),
    ("G11", "G11", "another keepalive at a node", per(AgentPeers, W1, peer(IPv4Address("192.168.10.200"), keepalive_seconds=30)), "k8s-w1: 192.168.10.200 has hold 9 s, keepalive 30 s"),
    ("G11", "G11", "no End-of-RIB", both(per(Neighbors, ROUTER, peer(W0_ADDRESS, end_of_rib=False)), per(FrrLogs, ROUTER, lambda log: replace(log, end_of_rib=log.end_of_rib - {W0_ADDRESS}))), "no End-of-RIB from 192.168.20.100"),
    ("G11", "G11", "the peer configuration is missing", instead(ClusterConfigs({"cilium-bgp": ("cilium.io/MissingPeerConfigs: Referenced CiliumBGPPeerConfig(s) are missing: [cilium-peer]",)})), r"are missing: \[cilium-peer\]"),
    ("G12", "G11", "too few received", per(AgentPeers, W0, peer(IPv4Address("192.168.10.200"), received=1)), "k8s-w0: peers: missing .*received 4, unexpected .*received 1"),
    ("G12", "G11", "another AS", per(AgentPeers, W0, peer(IPv4Address("192.168.10.200"), peer_asn=65009)), "AS 65001/65009"),
    ("G12", "G11", "a node does not announce its pods", per(AgentRoutes, W0, lambda _: ()), "k8s-w0: own routes: missing 172.20.2.0/24 via 0.0.0.0"),
    ("G12", "G11", "the status says idle", each(NodeConfigs, "configs", only(W0, peers=(PeerStatus("tor-switch", IPv4Address("192.168.10.200"), "idle"),))), "status of its node configuration: idle"),
    ("G13", "G11", "a session is down", per(BgpSummaries, ROUTER, summary(W0_ADDRESS, state="Active", prefixes=0)), "unexpected 192.168.20.100 Active 0"),
    ("G13", "G11", "two prefixes too early", per(BgpSummaries, ROUTER, summary(W0_ADDRESS, prefixes=2)), "unexpected 192.168.20.100 Established 2"),
    ("G13", "G11", "a kernel route is missing", per(RouterRoutes, ROUTER, route("172.20.2.0/24", gone=True)), "kernel routes to pods: missing 172.20.2.0/24 via 192.168.20.100"),
    ("G13", "G11", "a route leads to another node", per(RouterRoutes, ROUTER, route("172.20.2.0/24", next_hops=(NextHop(W1_ADDRESS, "eth1"),))), "unexpected 172.20.2.0/24 via 192.168.10.101"),
    ("G13", "G11", "the wrong interface", per(RouterRoutes, ROUTER, route("172.20.2.0/24", next_hops=(NextHop(W0_ADDRESS, "eth1"),))), "192.168.20.100 leaves by eth1, not eth2"),
    ("G14", "G11", "a learned route is injected", per(NodeRoutes, W1, lambda table: RouteTable((*table.routes, BGP_ROUTE))), "k8s-w1 has 172.20.2.0/24 via 192.168.10.200 proto bgp"),
    ("G14", "G11", "the far pod answers", requests(to_far_pod(FAR)), "on k8s-w0: answered"),
    ("G15", "G15", "a route is missing", per(NodeRoutes, W1, route("172.20.0.0/16", gone=True)), "k8s-w1 has no route to 172.20.0.0/16"),
    ("G15", "G15", "through another router", per(NodeRoutes, W0, route("172.20.0.0/16", next_hops=(NextHop(IPv4Address("192.168.20.9"), "eth1"),))), "k8s-w0 has 172.20.0.0/16 via 192.168.20.9, expected 192.168.20.200"),
    ("G16", "G15", "a pod is unreachable", requests(lambda seen: by_name(lambda number, request: time_out() if number % 3 == 2 else request)(to_far_pod(time_out())(seen))), "240 of 720 requests failed: curl exit 28.*k8s-w0 did not answer"),
    ("G16", "G15", "a pod gets nothing", requests(by_name(lambda number, request: request if number % 3 < 2 else answer(pod_name(CTR), W0_POD, W0_POD))), "pods that answered: missing webpod-7d4f8-k8s-w0"),
    ("G17", "G15", "no answers recorded", each(FlowRecords, "flows", lambda flow: None if flow.source == pod_name(W0) else flow), "webpod-7d4f8-k8s-w0 → curl-pod: no FORWARDED record with ACK, FIN, SYN"),
    ("G17", "G15", "connections are not closed", each(FlowRecords, "flows", lambda flow: None if "FIN" in flow.flags else flow), "with FIN"),
    ("G17", "G15", "packets are dropped", each(FlowRecords, "flows", lambda flow: replace(flow, verdict="DROPPED") if "PSH" in flow.flags else flow), "k8s-w0: 1 records are DROPPED"),
    ("G17", "G15", "only earlier connections are recorded", each(FlowRecords, "flows", lambda flow: replace(flow, source_port=flow.source_port + 1, destination_port=flow.destination_port + 1)), "curl-pod → webpod-7d4f8-k8s-w0: no FORWARDED record with ACK, FIN, SYN"),
    ("G18", "G18", "no pool", instead(Pools(())), "there is no pool cilium-pool"),
    ("G18", "G18", "the pool is disabled", each(Pools, "pools", only("cilium-pool", disabled=True)), "cilium-pool is disabled"),
    ("G18", "G18", "pools overlap", each(Pools, "pools", only("cilium-pool", conflict="overlaps range")), "cilium-pool conflicts: overlaps range"),
    ("G18", "G18", "first and last are handed out", each(Pools, "pools", only("cilium-pool", allow_first_last=True, available=256)), "256 addresses available, expected 254"),
    ("G18", "G18", "another block", each(Pools, "pools", only("cilium-pool", blocks=(IPv4Network("172.16.9.0/24"),))), "blocks: missing 172.16.1.0/24, unexpected 172.16.9.0/24"),
    ("G19", "G19", "no address", service(ingress=(), satisfied="no_pool"), r"no address yet \(LB-IPAM says no_pool\)"),
    ("G19", "G19", "still ClusterIP", service(type="ClusterIP"), "is ClusterIP, not LoadBalancer"),
    ("G19", "G19", "another address", service(ingress=(IPv4Address("172.16.1.7"),)), "172.16.1.7 was assigned, expected the first free address 172.16.1.1"),
    ("G19", "G19", "an address of another pool", service(ingress=(IPv4Address("10.9.9.9"),)), "10.9.9.9 is not of the pool"),
    ("G19", "G19", "not counted", each(Pools, "pools", only("cilium-pool", available=254)), "254 available, expected 253"),
    ("G20", "G19", "announced too early", per(BgpTables, ROUTER, lambda table: BgpTable((*table.all_paths, BgpPath(VIP, W0_ADDRESS, W0_ADDRESS)))), "router has paths to 172.16.1.1 via 192.168.20.100"),
    ("G20", "G19", "in the kernel too early", per(RouterRoutes, ROUTER, lambda table: RouteTable((*table.routes, VIP_ROUTE))), "kernel has 172.16.1.1 via 192.168.10.100"),
    ("G21", "G21", "a policy is missing", per(RoutePolicies, W0, lambda policies: policies[:2]), "k8s-w0: policies: missing tor-switch-ipv4-Service-webpod-default-LoadBalancerIP export 172.16.1.1/32"),
    ("G21", "G21", "a policy for another prefix", per(RoutePolicies, W0, lambda policies: (*policies[:2], replace(policies[2], prefixes=(IPv4Network("172.16.1.9/32"),)))), "unexpected .* 172.16.1.9/32"),
    ("G22", "G21", "a path is missing", per(BgpTables, ROUTER, path(W0_ADDRESS, gone=True)), "paths to 172.16.1.1: missing 192.168.20.100"),
    ("G22", "G21", "a path is not valid", per(BgpTables, ROUTER, path(W0_ADDRESS, valid=False)), "the path via 192.168.20.100 is not valid"),
    ("G22", "G21", "a path is stale", per(BgpTables, ROUTER, path(W0_ADDRESS, stale=True)), "the path via 192.168.20.100 is stale"),
    ("G22", "G21", "a path is not multipath", per(BgpTables, ROUTER, path(W0_ADDRESS, multipath=False)), r"2 paths are in use \(multipath\), expected 3"),
    ("G22", "G21", "two are best", per(BgpTables, ROUTER, path(W0_ADDRESS, best=True)), "2 paths are best, expected one"),
    ("G22", "G21", "the kernel lacks a next hop", per(RouterRoutes, ROUTER, route("172.16.1.1/32", next_hops=(NextHop(CTR_ADDRESS, "eth1"), NextHop(W1_ADDRESS, "eth1")))), "kernel next hops to 172.16.1.1: missing 192.168.20.100"),
    ("G22", "G21", "the route is by hand", per(RouterRoutes, ROUTER, route("172.16.1.1/32", protocol="static")), "kernel route is proto static"),
    ("G23", "G21", "requests fail", per(VipRequests, ROUTER, lambda seen: (*seen[1:], time_out())), "router: 1 of 30 requests failed: curl exit 28"),
    ("G23", "G21", "somebody else answers", per(VipRequests, ROUTER, lambda seen: (*seen[1:], as_seen("stranger", "192.168.10.200"))), "stranger answered, no endpoint"),
    ("G24", "G24", "policy Cluster", service(external_traffic_policy="Cluster"), "externalTrafficPolicy is Cluster, expected Local"),
    ("G24", "G24", "a node without a pod announces", lambda world: world.but(Endpoints(world.seen[Endpoints].endpoints[:2])), "paths to 172.16.1.1: unexpected"),
    ("G24", "G24", "a node with a pod is silent", both(per(BgpTables, ROUTER, path(W0_ADDRESS, gone=True)), per(RouterRoutes, ROUTER, route("172.16.1.1/32", next_hops=(NextHop(CTR_ADDRESS, "eth1"), NextHop(W1_ADDRESS, "eth1"))))), "paths to 172.16.1.1: missing 192.168.20.100"),
    ("G25", "G24", "Local hides the client", lambda world: world.but(replace(world.seen[SourcesSeen], local=world.seen[SourcesSeen].cluster)), "with Local pods saw 192.168.10.100, not router's own address"),
    ("G25", "G24", "Cluster hides nobody", lambda world: world.but(replace(world.seen[SourcesSeen], cluster=world.seen[SourcesSeen].local)), "with Cluster none of 30 answers saw a node's address"),
    ("G25", "G24", "Cluster shows a stranger", lambda world: world.but(replace(world.seen[SourcesSeen], cluster=VipRequests(IPv4Address("172.16.1.1"), "Cluster", {ROUTER: (as_seen(pod_name(W1), "10.9.9.9"), *world.seen[SourcesSeen].cluster.by_router[ROUTER])}))), "saw 10.9.9.9, neither"),
    ("G25", "G24", "a node hides behind itself", lambda world: world.but(replace(world.seen[SourcesSeen], cluster=VipRequests(IPv4Address("172.16.1.1"), "Cluster", {ROUTER: (as_seen(pod_name(W1), "192.168.10.101"), *world.seen[SourcesSeen].cluster.by_router[ROUTER])}))), "its own node's address"),
    ("G26", "G24", "the node does not withdraw", lambda world: world.but(replace(world.seen[PodsMoved], moves=(replace(world.seen[PodsMoved].moves[0], announcing=(CTR, W0, W1)), world.seen[PodsMoved].moves[1]))), "2 pods: next hops on router: unexpected k8s-w1"),
    ("G26", "G24", "the node does not come back", lambda world: world.but(replace(world.seen[PodsMoved], moves=(world.seen[PodsMoved].moves[0], replace(world.seen[PodsMoved].moves[1], announcing=(CTR, W0))))), "3 pods: next hops on router: missing k8s-w1"),
    ("G26", "G24", "requests fail afterwards", moved(failed_after=4), "4 requests failed after convergence"),
    ("G26", "G24", "nobody lost a pod", lambda world: world.but(replace(world.seen[PodsMoved], before=(CTR, W0))), "no node with BGP lost its pod"),
    ("G26", "G24", "a router was not watched", lambda world: world.but(replace(world.seen[PodsMoved], moves=tuple(replace(move, router="other") for move in world.seen[PodsMoved].moves))), "routers that were watched: missing router, unexpected other"),
    ("G25", "G24", "a router did not ask", lambda world: world.but(replace(world.seen[SourcesSeen], local=VipRequests(IPv4Address("172.16.1.1"), "Local", {"other": world.seen[SourcesSeen].local.by_router[ROUTER]}))), "router did not ask with Local"),
    ("G25", "G24", "a router did not ask before", lambda world: world.but(replace(world.seen[SourcesSeen], cluster=VipRequests(IPv4Address("172.16.1.1"), "Cluster", {"other": world.seen[SourcesSeen].cluster.by_router[ROUTER]}))), "router did not ask with Cluster"),
    ("G27", "G24", "connections are spread", loaded(SPREAD), "took several nodes"),
    ("G27", "G24", "another hash policy", instead(HashPolicies({ROUTER: 1})), "fib_multipath_hash_policy is {'router': 1}, expected 0"),
    ("G27", "G24", "there is one way only", both(per(BgpTables, ROUTER, path(W0_ADDRESS, multipath=False)), per(BgpTables, ROUTER, path(W1_ADDRESS, multipath=False))), r"1 paths to 172.16.1.1 are in use \(multipath\), expected 3"),
    ("G27", "G24", "connections fail", loaded([CTR] * 50, "timeout_connect"), "50 of 50 connections failed"),
    ("G28", "G28", "the live value is 0", instead(HashPolicies({ROUTER: 0})), "live net.ipv4.fib_multipath_hash_policy is 0, expected 1"),
    ("G28", "G28", "no file", instead(HashPolicyFiles({ROUTER: ()})), "0 lines set it"),
    ("G28", "G28", "two lines", per(HashPolicyFiles, ROUTER, lambda lines: (*lines, *lines)), "2 lines set it"),
    ("G28", "G28", "the guide's own file", instead(HashPolicyFiles({ROUTER: (Assignment("/etc/sysctl.conf", "1"),)})), "set in /etc/sysctl.conf, not in a file under"),
    ("G28", "G28", "another value", instead(HashPolicyFiles({ROUTER: (Assignment("/etc/sysctl.d/a.conf", "0"),)})), "files set it to 0, expected 1"),
    ("G28", "G28", "it does not come back", instead(HashPolicyRestored({ROUTER: 0})), "`sysctl --system` brought back 0"),
    ("G28", "G28", "it was brought back elsewhere only", instead(HashPolicyRestored({"other": 1})), "brought back nothing that was looked at"),
    ("G29", "G28", "a node gets too much", loaded([CTR] * 1000 + SPREAD), "k8s-ctr got"),
    ("G29", "G28", "a node gets nothing", loaded([CTR, W1] * 3000), "got nothing of 6000: k8s-w0"),
    ("G29", "G28", "a stranger answers", loaded([*SPREAD, "elsewhere"]), "answered but may not"),
    ("G29", "G28", "a node is lost", both(per(BgpTables, ROUTER, path(W0_ADDRESS, gone=True)), TWO_OF_THREE), "nodes with a path to 172.16.1.1: missing k8s-w0"),
    ("G29", "G28", "a path is not used", both(per(BgpTables, ROUTER, path(W0_ADDRESS, multipath=False)), TWO_OF_THREE), r"2 paths to 172.16.1.1 are in use \(multipath\), expected 3"),
    ("G29", "G28", "policy 0 is live", instead(HashPolicies({ROUTER: 0})), "hash_policy is {'router': 0}, expected 1"),
    ("G30", "G28", "the kernel lacks a next hop", per(RouterRoutes, ROUTER, route("172.16.1.1/32", next_hops=(NextHop(CTR_ADDRESS, "eth1"), NextHop(W1_ADDRESS, "eth1")))), "kernel against BGP table: missing k8s-w0"),
    ("G30", "G28", "BGP has no path for it", per(BgpTables, ROUTER, path(W0_ADDRESS, gone=True)), "kernel against BGP table: unexpected k8s-w0"),
    ("G30", "G28", "a node is lost everywhere", both(per(BgpTables, ROUTER, path(W0_ADDRESS, gone=True)), TWO_OF_THREE), "nodes with a path to 172.16.1.1: missing k8s-w0"),
    ("G30", "G28", "traffic goes elsewhere", loaded([CTR, W1] * 3000), "traffic against kernel: missing k8s-w0"),
]  # fmt: skip


@pytest.fixture(scope="module")
def worlds() -> dict[str, World]:
    return {stage: right_world(GUIDE, stage) for stage in {fault[1] for fault in FAULTS}}


@pytest.mark.parametrize(("id", "stage", "what", "how", "reason"), FAULTS, ids=[f"{f[0]} {f[2]}" for f in FAULTS])
def test_a_check_fails_for_its_own_reason(
    id: str, stage: str, what: str, how: Break, reason: str, worlds: dict[str, World]
) -> None:
    finding = how(worlds[stage]).judge(id)
    assert finding.verdict is Verdict.FAILS, f"{finding.verdict}: {finding.reason}"
    assert re.search(reason, finding.reason), finding.reason


def test_every_check_is_seen_to_fail() -> None:
    assert {fault[0] for fault in FAULTS} == set(all_checks())


UNSURE: list[tuple[str, str, str, Break, str]] = [
    ("G05", "G03", "nobody answers", requests(lambda seen: PodRequests("curl-pod", (time_out(),), {})), "nobody answered"),
    ("G06", "G03", "few requests", requests(lambda seen: replace(seen, by_name=seen.by_name[:30])), "30 requests .* 60 are needed"),
    ("G14", "G11", "not converged", per(AgentPeers, W0, peer(IPv4Address("192.168.10.200"), received=1)), "not converged: k8s-w0"),
    ("G16", "G15", "few requests", requests(lambda seen: replace(seen, by_name=seen.by_name[:9])), "9 requests cannot show"),
    ("G20", "G19", "no address", service(ingress=()), "has no address yet"),
    ("G26", "G24", "not scaled", instead(PodsMoved((), (), 0, 0)), "not scaled down and back"),
    ("G26", "G24", "nobody asked afterwards", moved(sent_after=0), "no request was sent after convergence: router at 2 pods, router at 3 pods"),
    ("G30", "G28", "nobody should announce", instead(Endpoints(())), "no node should announce"),
    ("G04", "G03", "no pod at all", instead(Endpoints(())), "webpod has no ready endpoint"),
    ("G06", "G03", "no pod at all", instead(Endpoints(())), "webpod has no ready endpoint"),
    ("G29", "G28", "few connections", loaded([CTR, W1, W0] * 500), "too few connections"),
]  # fmt: skip


@pytest.mark.parametrize(("id", "stage", "what", "how", "reason"), UNSURE, ids=[f"{f[0]} {f[2]}" for f in UNSURE])
def test_a_check_that_cannot_tell_says_so(
    id: str, stage: str, what: str, how: Break, reason: str, worlds: dict[str, World]
) -> None:
    finding = how(worlds[stage]).judge(id)
    assert finding.verdict is Verdict.INCONCLUSIVE, f"{finding.verdict}: {finding.reason}"
    assert re.search(reason, finding.reason), finding.reason
