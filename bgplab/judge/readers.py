"""Which observation is made how: the table from an observation's type to its reader."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bgplab.checks.chance import rate_of, requests_to_see_all
from bgplab.checks.load_evidence import connections_for
from bgplab.checks.sample_app import MANY
from bgplab.judge.faults import NeedsAChange, NotThere
from bgplab.lab.shell import Shell
from bgplab.observe import (
    bgp_node_configs,
    cilium_agents,
    cilium_bgp,
    cluster_info,
    endpoint_slices,
    flows,
    frr_bgp,
    frr_config,
    frr_service,
    hosts,
    http,
    kernel_routes,
    lb_pools,
    load,
    nodes,
    pods,
    services,
    sysctl,
)
from bgplab.observe.pod_move import PodsMoved

if TYPE_CHECKING:
    from bgplab.judge.sight import Sight

VIP_REQUESTS = 30  # with two nodes none of them crosses with a probability of 1e-9
#: Nodes count connections to the address whoever opens them, so one reader at a time opens any.
_ADDRESS_IN_USE = threading.Lock()


def _routers(sight: Sight) -> dict[str, Shell]:
    return {router.name: sight.lab.hosts[router.name] for router in sight.spec.routers}


def _nodes(sight: Sight) -> dict[str, Shell]:
    return {node.name: sight.lab.hosts[node.name] for node in sight.spec.cluster.nodes}


def _pod_requests(sight: Sight) -> http.PodRequests:
    """So many that before G15 the share of time-outs, from then on the answer of every pod, is no matter of luck."""
    app = sight.spec.cluster.app
    ready = sight.see(endpoint_slices.Endpoints).ready
    times = MANY
    if sight.expected.reached("G15"):
        times = max(MANY, requests_to_see_all(len(ready), rate_of("G16")))
    addresses = [entry.address for entry in ready]
    return http.request_from_pod(sight.lab.cluster, app.client, app.namespace, app.name, app.port, times, addresses)


def _vip_requests(sight: Sight) -> http.VipRequests:
    expected = sight.expected
    if not expected.vip:
        raise NotThere(f"Service {expected.app.name} has no LoadBalancer address")
    routers, port = _routers(sight), expected.app.port
    with _ADDRESS_IN_USE:
        seen = http.request_from_routers(routers, expected.vip, port, expected.policy, VIP_REQUESTS)
    sight.context.vip_requests[expected.policy] = seen
    return seen


def _sources(sight: Sight) -> http.SourcesSeen:
    now = sight.see(http.VipRequests)
    return http.SourcesSeen(
        local=now if now.policy == "Local" else None, cluster=sight.context.vip_requests.get("Cluster")
    )


def _flows(sight: Sight) -> flows.FlowRecords:
    """After requests, so that there is something to record: about ten records each, in both directions."""
    app = sight.spec.cluster.app
    sent = len(sight.see(http.PodRequests).by_name)
    node, before = sight.expected.client_node, sight.context.kept(flows.FlowRecords)
    seen = flows.read_flows(sight.lab.cluster, node, app.client, app.namespace, last=20 * sent)
    sight.context.keep(seen)
    return replace(seen, lost_before=before.lost if before else 0)


def _load(sight: Sight) -> load.LoadRuns:
    expected, test = sight.expected, sight.spec.load_test
    if not expected.vip:
        raise NotThere(f"Service {expected.app.name} has no LoadBalancer address")
    with _ADDRESS_IN_USE:
        return load.run_load(
            _routers(sight),
            expected.vip,
            expected.app.port,
            small=test.guide_requests,
            large=max(connections_for(expected, router) for router in sight.spec.routers),
            concurrency=test.concurrency,
            nodes=_nodes(sight),
        )


def _pods_moved(sight: Sight) -> PodsMoved:
    app, seen = sight.spec.cluster.app, sight.context.kept(PodsMoved)
    if app.replicas < 2:
        raise NeedsAChange(f"{app.name} has one pod only, so that there is none to take away")
    if seen is None:
        raise NeedsAChange("it takes a change that only step G26 makes: scaling the application down and back")
    return seen


def _app(sight: Sight) -> tuple[str, str]:
    return sight.spec.cluster.app.name, sight.spec.cluster.app.namespace


READERS: dict[type, Callable[[Sight], Any]] = {
    hosts.HostsAnswering: lambda sight: hosts.read_hosts(sight.lab.hosts),
    nodes.Nodes: lambda sight: nodes.read_nodes(sight.lab.cluster),
    cluster_info.ClusterInfo: lambda sight: cluster_info.read_cluster_info(sight.lab.cluster),
    cluster_info.CiliumConfig: lambda sight: cluster_info.read_cilium_config(sight.lab.cluster),
    cilium_agents.AgentStatus: lambda sight: cilium_agents.read_agent_status(sight.lab.cluster),
    pods.Pods: lambda sight: pods.read_pods(sight.lab.cluster, _app(sight)[1]),
    services.AppService: lambda sight: services.read_service(sight.lab.cluster, *_app(sight)),
    endpoint_slices.Endpoints: lambda sight: endpoint_slices.read_endpoints(sight.lab.cluster, *_app(sight)),
    http.PodRequests: _pod_requests,
    http.VipRequests: _vip_requests,
    http.SourcesSeen: _sources,
    frr_config.RunningConfigs: lambda sight: frr_config.read_running_configs(_routers(sight)),
    frr_config.StartupConfigs: lambda sight: frr_config.read_startup_configs(_routers(sight)),
    frr_bgp.BgpSummaries: lambda sight: frr_bgp.read_summaries(_routers(sight)),
    frr_bgp.BgpTables: lambda sight: frr_bgp.read_tables(_routers(sight)),
    frr_bgp.Neighbors: lambda sight: frr_bgp.read_neighbors(_routers(sight)),
    frr_service.FrrServices: lambda sight: frr_service.read_services(_routers(sight)),
    frr_service.FrrLogs: lambda sight: frr_service.read_logs(_routers(sight)),
    bgp_node_configs.NodeConfigs: lambda sight: bgp_node_configs.read_node_configs(sight.lab.cluster),
    bgp_node_configs.ClusterConfigs: lambda sight: bgp_node_configs.read_cluster_configs(sight.lab.cluster),
    cilium_bgp.AgentPeers: lambda sight: cilium_bgp.read_agent_peers(sight.lab.cluster),
    cilium_bgp.AgentRoutes: lambda sight: cilium_bgp.read_agent_routes(sight.lab.cluster),
    cilium_bgp.RoutePolicies: lambda sight: cilium_bgp.read_route_policies(sight.lab.cluster),
    kernel_routes.RouterRoutes: lambda sight: kernel_routes.read_router_routes(_routers(sight)),
    kernel_routes.NodeRoutes: lambda sight: kernel_routes.read_node_routes(_nodes(sight)),
    flows.FlowRecords: _flows,
    lb_pools.Pools: lambda sight: lb_pools.read_pools(sight.lab.cluster),
    sysctl.HashPolicies: lambda sight: sysctl.read_hash_policies(_routers(sight)),
    sysctl.HashPolicyFiles: lambda sight: sysctl.read_hash_policy_files(_routers(sight)),
    sysctl.HashPolicyRestored: lambda sight: (
        sight.context.kept(sysctl.HashPolicyRestored) or sysctl.HashPolicyRestored({})
    ),
    load.LoadRuns: _load,
    PodsMoved: _pods_moved,
}

#: Observations that take their time: checks that need one are judged beside the others, so as not to hold them up.
SLOW = {http.PodRequests, http.VipRequests, http.SourcesSeen, flows.FlowRecords, load.LoadRuns}
