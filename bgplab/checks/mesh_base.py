"""Clusters, Cilium, certificates, connections (M01 to M06)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network
from itertools import combinations

from bgplab.checks.claims import difference, judged, listed
from bgplab.checks.finding import Finding
from bgplab.checks.mesh_expected import MeshExpected
from bgplab.checks.registry import Explanation, check
from bgplab.observe.hosts import HostsAnswering
from bgplab.observe.kernel_routes import NodeRoutes
from bgplab.observe.mesh_agents import AgentSeen, MeshAgents, MeshNodeLists
from bgplab.observe.mesh_connections import MeshApiServers, MeshConnections, MeshReach
from bgplab.observe.mesh_install import Installed, MeshInstalled
from bgplab.observe.mesh_nodes import CONTROL_PLANE, MeshNodes
from bgplab.spec.model import ClusterSpec
from bgplab.traffic.mesh_deviations import SAME_NODE_PORT, Deviation, deviations_of

IN_AGENT = "kubectl --context {context} exec -n kube-system ds/cilium -c cilium-agent -- cilium"


@check(
    "M01",
    title="clusters answer, nodes wait for a network",
    needs=(HostsAnswering, MeshNodes),
    until="M02",
    patience_seconds=30,
    explanation=Explanation(
        "Every cluster answers by its context and has its nodes with address and pod CIDR; none is Ready, since there"
        " is no CNI, and control-plane nodes take no pods. No two nodes of the mesh have overlapping pod CIDRs.",
        "kind was told to install no network (disableDefaultCNI), so that Cilium can be. Pods of all clusters share one"
        " address space: an address that two nodes have leads to one of them only.",
        ("kubectl config get-contexts", "kubectl --context {context} get node -o wide"),
    ),
)
def clusters_answer_and_wait_for_a_network(hosts: HostsAnswering, nodes: MeshNodes, expected: MeshExpected) -> Finding:
    names = {node.name for cluster in expected.clusters for node in cluster.nodes}
    problems = [f"{name} does not answer: {fault}" for name, fault in hosts.faults.items()]
    problems += difference("hosts that answer", hosts.hostnames, names - set(hosts.faults))
    for cluster in expected.clusters:
        seen = {node.name: node for node in nodes.by_cluster[cluster.name]}
        problems += difference(
            f"{cluster.name}: nodes (name, address, pod CIDR)",
            [f"{node.name} {node.address} {node.pod_cidr}" for node in seen.values()],
            [f"{node.name} {node.address} {node.pod_cidr}" for node in cluster.nodes],
        )
        if cluster.cilium_installed:
            continue
        ready = [node.name for node in seen.values() if node.ready]
        problems += [f"{cluster.name}: Ready without a CNI: {listed(ready)}"] if ready else []
        taint = f"{CONTROL_PLANE}:NoSchedule"
        for node in cluster.nodes:
            if node.control_plane and node.name in seen and taint not in seen[node.name].taints:
                problems.append(f"{node.name} has no taint {taint}")
    problems += _overlaps(nodes)
    count = sum(len(found) for found in nodes.by_cluster.values())
    return judged(problems, f"{len(nodes.by_cluster)} clusters with {count} nodes, none Ready", nodes=count)


def _overlaps(nodes: MeshNodes) -> list[str]:
    """Nodes whose pods cannot be told apart."""
    known = [
        (f"{cluster}/{node.name}", node.pod_cidr)
        for cluster, found in nodes.by_cluster.items()
        for node in found
        if node.pod_cidr
    ]
    return _overlapping(known)


def _overlapping(known: Iterable[tuple[str, IPv4Network]]) -> list[str]:
    return [
        f"pod CIDRs overlap: {one} has {cidr}, {other} has {its}"
        for (one, cidr), (other, its) in combinations(known, 2)
        if one != other and cidr.overlaps(its)
    ]


@check(
    "M02",
    title="Cilium runs, each cluster with name and id of its own",
    needs=(MeshInstalled, MeshAgents, MeshNodes),
    patience_seconds=30,
    explanation=Explanation(
        "Nodes are Ready and their agents OK, of the version that was asked for and not one known to break global"
        " Services; every cluster has the cluster-name and cluster-id it was given, no two the same.",
        "Agents tell the clusters of a mesh apart by name and id; with one id twice they refuse to connect. Cilium"
        " 1.18.0 loses the backends of unnamed Service ports on the way to other clusters.",
        (
            "cilium status --context {context}",
            "kubectl --context {context} get cm -n kube-system cilium-config -o yaml | grep -E 'cluster-(id|name)'",
        ),
    ),
)
def cilium_runs_with_identities(
    installed: MeshInstalled, agents: MeshAgents, nodes: MeshNodes, expected: MeshExpected
) -> Finding:
    problems = []
    for cluster in expected.clusters:
        name, found = cluster.name, installed.by_cluster[cluster.name]
        waiting = [f"{node.name} ({node.unready})" for node in nodes.by_cluster[name] if not node.ready]
        problems += [f"{name}: not Ready: {listed(waiting)}"] if waiting else []
        problems += difference(f"{name}: agents answer", agents.by_cluster[name], [node.name for node in cluster.nodes])
        problems += [
            f"{name}: the agent of {node} is {agent.state}: {agent.message}"
            for node, agent in agents.by_cluster[name].items()
            if agent.state != "Ok"
        ]
        problems += _wrong_release(cluster, found)
        if found.config.get("cluster-name") != name:
            problems.append(f"{name}: its cluster-name is {found.config.get('cluster-name')!r}")
        if found.config.get("cluster-id") != str(cluster.id):
            problems.append(f"{name}: its cluster-id is {found.config.get('cluster-id')!r}, expected '{cluster.id}'")
    for key in ("cluster-id", "cluster-name"):
        problems += [
            f"{' and '.join(same)} have the same {key} {value}: Cilium will not connect them"
            for value, same in _by_value({name: one.config.get(key) for name, one in installed.by_cluster.items()})
        ]
    limits = {name: one.config.get("max-connected-clusters", "255") for name, one in installed.by_cluster.items()}
    problems += [f"max-connected-clusters differ: {limits}"] if len(set(limits.values())) > 1 else []
    told = "; ".join(f"{each.name}: {each.cilium_version}, id {each.id}" for each in expected.clusters)
    return judged(problems, f"nodes are Ready, agents OK ({told})")


def _wrong_release(cluster: ClusterSpec, found: Installed) -> list[str]:
    if found.version is None:
        return [f"{cluster.name}: there is no DaemonSet cilium"]
    told = []
    asked = cluster.cilium_version
    if found.version != asked and not found.version.startswith(f"{asked}."):
        told.append(f"{cluster.name}: agents are Cilium {found.version}, expected {asked}")
    known = [one for one in deviations_of(found.version) if one.breaks]
    return told + [f"{cluster.name}: Cilium {found.version} breaks global Services: {one}" for one in known]


def _by_value(values: Mapping[str, str | None]) -> list[tuple[str, list[str]]]:
    """Values that several have, with who has them."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, value in values.items():
        if value is not None:
            found[value].append(name)
    return [(value, names) for value, names in found.items() if len(names) > 1]


@check(
    "M03",
    title="all clusters have the same certificate authority",
    needs=(MeshInstalled,),
    explanation=Explanation(
        "The Secret cilium-ca has a certificate with the same SHA-256 fingerprint in every cluster.",
        "Each cluster's etcd lets in whoever has a certificate of an authority it trusts. It has to come before"
        " `clustermesh enable`, which signs with the authority that is there.",
        (
            "kubectl --context {context} get secret -n kube-system cilium-ca -o jsonpath='{{.data.ca\\.crt}}'"
            " | base64 -d | openssl x509 -noout -fingerprint -sha256",
        ),
    ),
)
def the_authority_is_shared(installed: MeshInstalled, expected: MeshExpected) -> Finding:
    problems = [f"{name}: no Secret cilium-ca" for name, one in installed.by_cluster.items() if not one.authority]
    problems += _different_authorities(installed)
    known = next(iter(installed.by_cluster.values())).authority or ""
    return judged(problems, f"cilium-ca is {_short(known)} in {', '.join(expected.names)}")


def _different_authorities(installed: MeshInstalled) -> list[str]:
    prints = {name: one.authority for name, one in installed.by_cluster.items() if one.authority}
    if len(set(prints.values())) < 2:
        return []
    told = ", ".join(f"{name} has {_short(print_)}" for name, print_ in prints.items())
    return [f"the clusters' authorities (cilium-ca) differ: {told}"]


def _short(fingerprint: str) -> str:
    """As much of it as tells two apart."""
    return f"{fingerprint[:23]}…"


@check(
    "M04",
    title="clustermesh-apiserver runs, each at a node port of its own",
    needs=(MeshApiServers, MeshInstalled),
    patience_seconds=30,
    explanation=Explanation(
        "Every cluster has a ready clustermesh-apiserver and a Service of type NodePort for it, no two with the same"
        " port; its certificates are signed by the cluster's cilium-ca.",
        "Helm's node port is 32379 in every cluster. With kubeProxyReplacement an agent that connects again to the"
        " other cluster's 32379 then lands at its own cluster's apiserver (#24692).",
        (
            "cilium clustermesh status --context {context}",
            "kubectl --context {context} get svc,deploy -n kube-system clustermesh-apiserver",
        ),
    ),
)
def apiservers_run_at_ports_of_their_own(
    servers: MeshApiServers, installed: MeshInstalled, expected: MeshExpected
) -> Finding:
    problems = []
    for name, server in servers.by_cluster.items():
        if server.type != "NodePort":
            problems.append(f"{name}: Service clustermesh-apiserver is {server.type or 'missing'}, expected NodePort")
        if not server.ready:
            problems.append(f"{name}: no clustermesh-apiserver is ready")
        found = installed.by_cluster[name]
        outdated = [use for use, print_ in found.signed_by.items() if print_ != found.authority]
        if outdated:
            problems.append(
                f"{name}: certificates of clustermesh-apiserver ({listed(outdated)}) are signed by another authority"
                " than its cilium-ca: it was replaced after they were made"
            )
    ports = {name: str(server.node_port) for name, server in servers.by_cluster.items() if server.node_port}
    problems += [
        f"{' and '.join(same)} have the same node port {port}: agents that reconnect reach their own cluster's"
        f" apiserver{_known_bug(SAME_NODE_PORT, expected)}"
        for port, same in _by_value(ports)
    ]
    told = ", ".join(f"{name} at {port}" for name, port in ports.items())
    return judged(problems, f"clustermesh-apiserver: {told}")


def _known_bug(deviation: Deviation, expected: MeshExpected) -> str:
    known = any(deviation.is_in(cluster.cilium_version) for cluster in expected.clusters)
    return f" ({deviation.source})" if known else ""


@check(
    "M05",
    title="every agent is connected to every other cluster",
    needs=(MeshConnections, MeshAgents, MeshReach, MeshApiServers, MeshInstalled),
    patience_seconds=30,
    explanation=Explanation(
        "Every cluster is told of all others (Secret cilium-clustermesh, hostAliases), by the address of one of their"
        " nodes and their node port, and each of its agents is ready with each of them.",
        "Agents are clients of the other clusters' etcd: one connection per agent and cluster, in both directions. What"
        " one side is not told, it does not use, whatever the other one knows.",
        ("cilium clustermesh status --context {context}", f"{IN_AGENT} status --all-clusters"),
    ),
)
def every_agent_is_connected(
    connections: MeshConnections,
    agents: MeshAgents,
    reach: MeshReach,
    servers: MeshApiServers,
    installed: MeshInstalled,
    expected: MeshExpected,
) -> Finding:
    problems, count = [], 0
    for cluster in expected.clusters:
        name, told = cluster.name, connections.by_cluster[cluster.name]
        for other in sorted(expected.others(name)):
            if other not in told:
                back = name in connections.by_cluster[other]
                one_way = f"; the connection is one-way, as {other} is told of {name}" if back else ""
                problems.append(f"{name} is not told of {other} (Secret cilium-clustermesh){one_way}")
                continue
            target, due = told[other], servers.by_cluster[other].node_port
            addresses = {str(node.address) for node in expected.cluster(other).nodes}
            if target.port != due:
                problems.append(f"{name} looks for {other} at port {target.port}, its node port is {due}")
            if target.address not in addresses:
                problems.append(f"{name} looks for {other} at {target.address}, which is none of its nodes")
            waiting = [
                f"{node}: {_state(agent, other)}"
                for node, agent in agents.by_cluster[name].items()
                if not _is_ready(agent, other)
            ]
            count += len(agents.by_cluster[name])
            if waiting:
                problems.append(f"{name} is not connected to {other}: {'; '.join(waiting)}")
                problems += _causes(cluster, other, reach, target.port)
        strangers = set(told) - expected.others(name)
        problems += [f"{name} is told of {listed(strangers)}, no cluster of this mesh"] if strangers else []
    if problems:
        problems += _different_authorities(installed)
        problems += [
            f"{' and '.join(same)} have the same cluster-id {value}"
            for value, same in _by_value(
                {name: one.config.get("cluster-id") for name, one in installed.by_cluster.items()}
            )
        ]
    return judged(problems, f"{count} connections of agents to other clusters are ready", connections=count)


def _is_ready(agent: AgentSeen, other: str) -> bool:
    remote = agent.remotes.get(other)
    return remote is not None and remote.ready


def _state(agent: AgentSeen, other: str) -> str:
    remote = agent.remotes.get(other)
    return "knows nothing of it" if remote is None else remote.status or "not ready"


def _causes(cluster: ClusterSpec, other: str, reach: MeshReach, port: int) -> list[str]:
    """Why, as far as packets say."""
    deaf = {node.name: reach.by_node.get(node.name, {}).get(other, "") for node in cluster.nodes}
    return [
        f"{node} does not reach {other}'s node at port {port}: {fault} (is there a route between the node networks?)"
        for node, fault in deaf.items()
        if fault
    ]


@check(
    "M06",
    title="every agent lists the nodes of all clusters",
    needs=(MeshNodeLists, NodeRoutes),
    holds_from="M05",
    patience_seconds=30,
    explanation=Explanation(
        "`cilium node list` has the nodes of all clusters in every agent: itself as local, its cluster's others as"
        " custom-resource, other clusters' as clustermesh; every node's kernel has a route to the pods of every other"
        " node by that node's address; no pod CIDR overlaps another.",
        "With native routing and autoDirectNodeRoutes a route to each node's pods is all there is between clusters. It"
        " is made only for nodes on the same segment.",
        (f"{IN_AGENT} node list", "ssh {node} ip route"),
    ),
)
def nodes_of_all_clusters_are_listed(lists: MeshNodeLists, routes: NodeRoutes, expected: MeshExpected) -> Finding:
    problems = []
    everyone = [(cluster, node) for cluster in expected.clusters for node in cluster.nodes]
    for cluster in expected.clusters:
        seen = lists.by_cluster[cluster.name]
        problems += difference(f"{cluster.name}: agents answer", seen, [node.name for node in cluster.nodes])
        for asked, rows in seen.items():
            due = [
                f"{home.name}/{node.name} {node.address} {node.pod_cidr} {_source(cluster, asked, home, node.name)}"
                for home, node in everyone
            ]
            here = [f"{row.cluster}/{row.name} {row.address} {row.pod_cidr} {row.source}" for row in rows]
            problems += difference(f"{asked}: node list", here, due)
    overlaps = [
        overlap
        for nodes in lists.by_cluster.values()
        for rows in nodes.values()
        for overlap in _overlapping([(f"{row.cluster}/{row.name}", row.pod_cidr) for row in rows if row.pod_cidr])
    ]
    problems += dict.fromkeys(overlaps)
    for node_name, table in routes.by_node.items():
        for home, node in everyone:
            route = table.to(node.pod_cidr)
            if node.name == node_name or (route is not None and route.gateways == {node.address}):
                continue
            way = f"goes via {listed(route.gateways)}" if route else "is missing"
            problems.append(
                f"{node_name}: the route to the pods of {home.name}/{node.name} ({node.pod_cidr}) {way}, expected via"
                f" {node.address}"
            )
    told = f"{len(everyone)} nodes in the lists of {len(routes.by_node)} agents, routes to the pods of each"
    return judged(problems, told, nodes=len(everyone))


def _source(asking: ClusterSpec, asked: str, home: ClusterSpec, node: str) -> str:
    if home.name != asking.name:
        return "clustermesh"
    return "local" if node == asked else "custom-resource"
