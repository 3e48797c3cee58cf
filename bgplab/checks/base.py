"""Provisioning: hosts, nodes, Cilium (G01–G02)."""

from __future__ import annotations

from bgplab.checks.claims import difference, judged, listed
from bgplab.checks.expected import Expected
from bgplab.checks.finding import Finding
from bgplab.checks.registry import Explanation, check
from bgplab.observe.cilium_agents import AgentStatus
from bgplab.observe.cluster_info import CiliumConfig, ClusterInfo
from bgplab.observe.hosts import HostsAnswering
from bgplab.observe.nodes import Nodes


@check(
    "G01",
    title="hosts answer and nodes are Ready",
    needs=(HostsAnswering, Nodes),
    patience_seconds=30,
    explanation=Explanation(
        "Every host answers over SSH under its own name; every node is Ready with its address and pod CIDR.",
        "Everything later is observed through these: shells on the hosts, and the Kubernetes API.",
        ("ssh {router} hostname", "ssh {node} hostname", "kubectl get node -o wide"),
    ),
)
def hosts_answer_and_nodes_are_ready(hosts: HostsAnswering, seen: Nodes, expected: Expected) -> Finding:
    names = {router.name for router in expected.routers} | {node.name for node in expected.nodes}
    problems = [f"{name} does not answer: {fault}" for name, fault in hosts.faults.items()]
    problems += difference("hosts that answer", hosts.hostnames, names - set(hosts.faults))
    problems += [f"{name} calls itself {said}" for name, said in hosts.hostnames.items() if said.split(".")[0] != name]
    problems += difference(
        "nodes (name, address, pod CIDR)",
        [f"{node.name} {node.address} {node.pod_cidr}" for node in seen.nodes],
        [f"{node.name} {node.address} {node.pod_cidr}" for node in expected.nodes],
    )
    not_ready = [node.name for node in seen.nodes if not node.ready]
    problems += [f"not Ready: {listed(not_ready)}"] if not_ready else []
    return judged(
        problems,
        f"{len(names)} hosts answer; {len(seen.nodes)} nodes are Ready",
        hosts=len(hosts.hostnames),
        nodes=len(seen.nodes),
    )


#: What `cilium config view` must say; the last two came with 1.18.
SETTINGS = {"enable-bgp-control-plane": "true", "bgp-secrets-namespace": "kube-system"}
SETTINGS_SINCE_1_18 = {"enable-bgp-control-plane-status-report": "true", "bgp-router-id-allocation-mode": "default"}


@check(
    "G02",
    title="cluster answers, Cilium is OK and has BGP on",
    needs=(ClusterInfo, AgentStatus, CiliumConfig),
    holds_from="G01",
    patience_seconds=30,
    explanation=Explanation(
        "The cluster's API answers, Cilium's agent is OK on every node, and its BGP control plane is switched on.",
        "With the BGP control plane off, the BGP resources of G11 are accepted and nothing happens.",
        ("kubectl cluster-info", "cilium status", "cilium config view | grep -i bgp"),
    ),
)
def cilium_is_ok_with_bgp_on(
    info: ClusterInfo, agents: AgentStatus, config: CiliumConfig, expected: Expected
) -> Finding:
    due = dict(SETTINGS)
    if not expected.cluster.cilium_version.startswith("1.17"):
        due |= SETTINGS_SINCE_1_18
    problems = difference("cilium pods run", agents.by_node, [node.name for node in expected.nodes])
    problems += [
        f"cilium on {node} is {state}: {said}" for node, (state, said) in agents.by_node.items() if state != "Ok"
    ]
    problems += [
        f"{key} is {config.values.get(key)!r}, expected {value!r}"
        for key, value in due.items()
        if config.values.get(key) != value
    ]
    return judged(
        problems, f"the API answers; Cilium is OK on {len(agents.by_node)} nodes; {len(due)} BGP settings as due"
    )
