"""clustermesh-apiserver in every cluster, and connections between all of them (M04, M05)."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from ipaddress import IPv4Address

from bgplab.errors import LabError
from bgplab.lab.cluster import DAEMON_SET, DEPLOYMENT, POD, SECRET, SERVICE, Cluster
from bgplab.lab.model import Lab
from bgplab.lab.waiting import Deadline, wait_until
from bgplab.observe.mesh_agents import AgentSeen, read_agents_of
from bgplab.observe.mesh_connections import CLUSTERMESH_SECRET, read_api_server, read_connections
from bgplab.observe.mesh_install import APISERVER, CA_SECRET, CERTIFICATES, NAMESPACE, authority_of
from bgplab.observe.mesh_nodes import read_nodes_of
from bgplab.spec.cilium_install import Remote, agents, certificates, clustermesh_secret, connect, enable
from bgplab.spec.mesh_certificates import Certified, decoded
from bgplab.spec.model import ClusterSpec, LabSpec
from bgplab.steps.mesh_clusters import apply_but_secrets, data_of, delete_all, in_agent, in_each, told
from bgplab.steps.mesh_install import authority_in, rollout
from bgplab.steps.outcome import Outcome

# Enable (M04) --------------------------------------------------------------------------------------------------------


def plan_enable(spec: LabSpec) -> list[str]:
    """The node port cannot be said to `clustermesh enable`; it is set by the upgrade before it."""
    lines = []
    for cluster in spec.clusters:
        port = f"clustermesh.apiserver.service.nodePort={cluster.mesh.node_port}"
        version = f"--version {cluster.cilium_version}"
        lines += [
            f"cilium upgrade {version} --reuse-values --set {port} --context {cluster.context_name}",
            "cilium clustermesh enable --service-type NodePort --enable-kvstoremesh=false"
            f" --context {cluster.context_name}",
        ]
    return lines


def enable_mesh(lab: Lab, spec: LabSpec, deadline: Deadline) -> Outcome:
    """clustermesh-apiserver with a NodePort of its own in every cluster; waits until it runs (M04). Repeatable.

    Certificates that another authority has signed (M03 came after) are signed anew, and the etcd starts again.
    """
    now = datetime.now(UTC)

    def enable_in(cluster: Cluster, described: ClusterSpec) -> list[str]:
        authority = authority_in(cluster)
        if authority is None:
            raise LabError(f"{cluster.name} has no Secret {CA_SECRET}: install Cilium first (M02)")
        outdated = _outdated(cluster)
        applied = apply_but_secrets(cluster, enable(spec, described, authority, now))
        if outdated:
            for manifest in certificates(described, authority, now):
                cluster.apply(manifest)
            for pod in cluster.list(POD, NAMESPACE, labels=f"k8s-app={APISERVER}"):
                cluster.delete(POD, pod["metadata"]["name"], NAMESPACE)
            applied += [f"Secret {APISERVER}-{use}-cert" for use in outdated]
        wait_until(
            partial(read_api_server, cluster),
            holds=lambda seen: seen.ready > 0 and seen.node_port is not None,
            within=deadline,
            what=f"{cluster.name}: {APISERVER} runs and has a node port",
        )
        return applied

    applied = in_each(lab, spec, enable_in)
    ports = in_each(lab, spec, lambda cluster, _: read_api_server(cluster).node_port)
    what = "; ".join(f"{name}: {APISERVER} at node port {port}" for name, port in ports.items())
    commands = plan_enable(spec)
    return Outcome.changed(what, commands) if any(applied.values()) else Outcome.already(what, commands)


def disable_mesh(lab: Lab, spec: LabSpec, deadline: Deadline) -> Outcome:
    """Undo of M04 (and of M05, as there is nothing left to connect to). Repeatable."""
    disconnect_mesh(lab, spec, deadline)

    def remove(cluster: Cluster, described: ClusterSpec) -> list[str]:
        gone = []
        for kind, name in ((SERVICE, APISERVER), (DEPLOYMENT, APISERVER)):
            if cluster.get(kind, name, NAMESPACE) is not None:
                cluster.delete(kind, name, NAMESPACE)
                gone.append(f"{kind.kind} {name}")
        for use in CERTIFICATES:
            cluster.delete(SECRET, f"{APISERVER}-{use}-cert", NAMESPACE)
        return gone

    gone = in_each(lab, spec, remove)
    commands = [f"cilium clustermesh disable --context {cluster.context_name}" for cluster in spec.clusters]
    what = f"no {APISERVER}: {told(dict(gone))}"
    return Outcome.changed(what, commands) if any(gone.values()) else Outcome.already(what, commands)


def _outdated(cluster: Cluster) -> list[str]:
    """Certificates there are whose authority is not the cluster's."""
    own = authority_of(cluster, CA_SECRET)
    return [use for use in CERTIFICATES if authority_of(cluster, f"{APISERVER}-{use}-cert") not in (None, own)]


# Connect (M05) -------------------------------------------------------------------------------------------------------


def plan_connect(spec: LabSpec) -> list[str]:
    contexts = [cluster.context_name for cluster in spec.clusters]
    connects = [
        f"cilium clustermesh connect --context {one} --destination-context {other}"
        for place, one in enumerate(contexts)
        for other in contexts[place + 1 :]
    ]
    waits = [f"cilium clustermesh status --context {context} --wait" for context in contexts]
    lists = [in_agent(cluster, "node", "list") for cluster in spec.clusters]
    return [*connects, *waits, *lists]


def connect_mesh(lab: Lab, spec: LabSpec, deadline: Deadline) -> Outcome:
    """Every cluster told of all others; waits until every agent is ready with each of them (M05). Repeatable.

    Addresses and ports are read from the clusters, as the cilium CLI does. Raises DeadlineExceeded with what the agents
    say of their connections.
    """
    now = datetime.now(UTC)
    remotes = in_each(lab, spec, _offer)

    def connect_in(cluster: Cluster, described: ClusterSpec) -> list[str]:
        others = [_for(cluster, remote, lab) for name, remote in remotes.items() if name != described.name]
        wanted = connect(spec, described, others, now)
        if (data_of(cluster, CLUSTERMESH_SECRET) or {}) != clustermesh_secret(others)["data"]:
            cluster.apply(clustermesh_secret(others))
            told = [f"Secret {CLUSTERMESH_SECRET}"]
        else:
            told = []
        return told + apply_but_secrets(cluster, wanted)

    applied = in_each(lab, spec, connect_in)
    in_each(lab, spec, lambda cluster, described: wait_for_mesh(cluster, described, spec, deadline))
    what = f"{len(spec.clusters)} clusters connected, every agent ready with every other cluster"
    commands = plan_connect(spec)
    return Outcome.changed(what, commands) if any(applied.values()) else Outcome.already(what, commands)


def wait_for_mesh(cluster: Cluster, described: ClusterSpec, spec: LabSpec, deadline: Deadline) -> None:
    wait_until(
        partial(rollout, cluster),
        holds=lambda seen: seen == "done",
        within=deadline,
        what=f"{cluster.name}: agents roll out",
    )
    others = {other.name for other in spec.clusters} - {described.name}
    wait_until(
        partial(_not_ready, cluster, described, others),
        holds=lambda seen: not seen,
        within=deadline,
        what=f"{cluster.name}: every agent ready with {', '.join(sorted(others))}",
    )


def _not_ready(cluster: Cluster, described: ClusterSpec, others: set[str]) -> list[str]:
    """What is not so yet, a sentence per agent and remote cluster."""
    seen = read_agents_of(cluster)
    lacking = [f"{node.name}: no agent" for node in described.nodes if node.name not in seen]
    return lacking + [line for node, agent in seen.items() for line in _of_agent(node, agent, others)]


def _of_agent(node: str, agent: AgentSeen, others: set[str]) -> list[str]:
    lines = []
    for other in sorted(others):
        remote = agent.remotes.get(other)
        if remote is None or not remote.ready:
            lines.append(f"{node} → {other}: {remote.status if remote else 'not configured'}")
    return lines


def _offer(cluster: Cluster, described: ClusterSpec) -> Remote:
    """How others reach this cluster's etcd: its first node's address, and the Service's node port."""
    addresses = [node.address for node in read_nodes_of(cluster) if node.address]
    port = read_api_server(cluster).node_port
    if not addresses or port is None:
        raise LabError(
            f"{cluster.name} cannot be connected to: {APISERVER} has no node port (M04), or no node an address"
        )
    return Remote(described.name, IPv4Address(addresses[0]), port)


def _for(cluster: Cluster, remote: Remote, lab: Lab) -> Remote:
    """With the other side's certificate and authority where these differ, as the CLI adds them."""
    other = lab.clusters[remote.cluster]
    if authority_of(cluster, CA_SECRET) == authority_of(other, CA_SECRET):
        return remote
    data = data_of(other, f"{APISERVER}-remote-cert")
    if data is None:
        raise LabError(f"{remote.cluster} has no Secret {APISERVER}-remote-cert: enable it first (M04)")
    certified = Certified(decoded(data["tls.crt"]), decoded(data["tls.key"]))
    return Remote(remote.cluster, remote.address, remote.port, certified, decoded(data["ca.crt"]))


def disconnect_mesh(lab: Lab, spec: LabSpec, deadline: Deadline) -> Outcome:
    """Undo of M05: no cluster is told of any other; waits until agents know none. Repeatable."""

    def part(cluster: Cluster, described: ClusterSpec) -> bool:
        if not read_connections(cluster):
            return False
        delete_all(cluster, [clustermesh_secret(())])
        pod = {"spec": {"template": {"spec": {"hostAliases": None}}}}
        cluster.patch(DAEMON_SET, agents(described)["metadata"]["name"], pod, NAMESPACE)
        wait_until(partial(rollout, cluster), lambda seen: seen == "done", deadline, f"{cluster.name}: agents roll out")
        wait_until(
            partial(read_agents_of, cluster),
            holds=lambda seen: len(seen) == len(described.nodes) and not any(agent.remotes for agent in seen.values()),
            within=deadline,
            what=f"{cluster.name}: agents without remote clusters",
        )
        return True

    parted = [name for name, changed in in_each(lab, spec, part).items() if changed]
    contexts = [cluster.context_name for cluster in spec.clusters]
    commands = [
        f"cilium clustermesh disconnect --context {one} --destination-context {other}"
        for place, one in enumerate(contexts)
        for other in contexts[place + 1 :]
    ]
    what = f"disconnected: {', '.join(parted) or 'none was connected'}"
    return Outcome.changed(what, commands) if parted else Outcome.already(what, commands)
