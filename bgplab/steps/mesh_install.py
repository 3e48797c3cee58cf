"""Cilium in every cluster, and one certificate authority for all (M02, M03)."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

from bgplab.lab.cluster import DAEMON_SET, SECRET, Cluster
from bgplab.lab.model import Lab
from bgplab.lab.waiting import Deadline, wait_until
from bgplab.observe.cilium_agents import agent_pods
from bgplab.observe.mesh_agents import read_agents_of
from bgplab.observe.mesh_install import CA_SECRET, NAMESPACE, authority_of
from bgplab.observe.mesh_nodes import read_nodes_of
from bgplab.spec.cilium_install import ca_secret, install, install_values
from bgplab.spec.mesh_certificates import Certified, authority_from, make_authority
from bgplab.spec.model import ClusterSpec, LabSpec
from bgplab.steps.mesh_clusters import (
    apply_but_secrets,
    data_of,
    delete_all,
    helm_sets,
    in_each,
    kubectl,
    told,
    told_command,
)
from bgplab.steps.outcome import Outcome
from bgplab.traffic.mesh_deviations import deviations_of


def warnings(spec: LabSpec) -> list[str]:
    """What is to be said before any work: releases of Cilium in which a global Service is known not to work."""
    return [
        f"{cluster.name}: Cilium {cluster.cilium_version} is known to break global Services: {deviation}"
        for cluster in spec.clusters
        for deviation in deviations_of(cluster.cilium_version)
        if deviation.breaks
    ]


# Install (M02) -------------------------------------------------------------------------------------------------------


def plan_install(spec: LabSpec) -> list[str]:
    installs = [
        told_command(
            [
                *("cilium", "install", "--version", cluster.cilium_version),
                *helm_sets(install_values(spec, cluster)),
                *("--context", cluster.context_name),
            ]
        )
        for cluster in spec.clusters
    ]
    waits = [f"cilium status --context {cluster.context_name} --wait" for cluster in spec.clusters]
    return [*(f"# warning: {warning}" for warning in warnings(spec)), *installs, *waits]


def install_cilium(lab: Lab, spec: LabSpec, deadline: Deadline) -> Outcome:
    """Cilium with the guide's values in every cluster; waits until agents answer and nodes are Ready (M02). Repeatable.

    A Secret cilium-ca that is there is used, as Helm does; later steps' changes to the DaemonSet stay.
    """
    now = datetime.now(UTC)

    def install_in(cluster: Cluster, described: ClusterSpec) -> list[str]:
        authority = authority_in(cluster) or make_authority(now)
        applied = apply_but_secrets(cluster, install(spec, described, authority, now))
        wait_for_agents(cluster, described, deadline)
        return applied

    applied = in_each(lab, spec, install_in)
    what = "; ".join(f"{each.name}: Cilium {each.cilium_version}, id {each.id}" for each in spec.clusters)
    commands = plan_install(spec)
    return Outcome.changed(what, commands) if any(applied.values()) else Outcome.already(what, commands)


def uninstall_cilium(lab: Lab, spec: LabSpec, deadline: Deadline) -> Outcome:
    """Undo of M02: nothing of Cilium is left, nodes are NotReady again. Repeatable."""
    now = datetime.now(UTC)

    def remove(cluster: Cluster, described: ClusterSpec) -> list[str]:
        gone = delete_all(cluster, install(spec, described, make_authority(now), now))
        wait_until(partial(agent_pods, cluster), holds=lambda pods: not pods, within=deadline, what="no agent runs")
        return gone

    gone = in_each(lab, spec, remove)
    commands = [f"cilium uninstall --context {cluster.context_name}" for cluster in spec.clusters]
    what = f"Cilium is gone: {told(dict(gone))}"
    return Outcome.changed(what, commands) if any(gone.values()) else Outcome.already(what, commands)


def authority_in(cluster: Cluster) -> Certified | None:
    """The cluster's CA with its key; None without one. Raises KeyError or ValueError when the Secret holds none."""
    data = data_of(cluster, CA_SECRET)
    return None if data is None else authority_from(data)


def wait_for_agents(cluster: Cluster, described: ClusterSpec, deadline: Deadline) -> None:
    """Until the DaemonSet has rolled out, every node's agent is OK, and every node Ready."""
    names = {node.name for node in described.nodes}
    wait_until(
        partial(rollout, cluster),
        holds=lambda seen: seen == "done",
        within=deadline,
        what=f"{cluster.name}: agents roll out",
    )
    wait_until(
        partial(read_agents_of, cluster),
        holds=lambda seen: set(seen) == names and all(agent.state == "Ok" for agent in seen.values()),
        within=deadline,
        what=f"{cluster.name}: an agent that is OK on every node",
    )
    wait_until(
        partial(read_nodes_of, cluster),
        holds=lambda seen: {node.name for node in seen if node.ready} == names,
        within=deadline,
        what=f"{cluster.name}: every node Ready",
    )


def rollout(cluster: Cluster) -> str:
    """`done`, or how far the DaemonSet is, as `kubectl rollout status ds/cilium` tells it."""
    agents = cluster.get(DAEMON_SET, "cilium", NAMESPACE)
    if agents is None:
        return "there is no DaemonSet cilium"
    status = agents.get("status") or {}
    if status.get("observedGeneration", 0) < agents["metadata"].get("generation", 0):
        return "the DaemonSet has not been looked at yet"
    desired, updated = status.get("desiredNumberScheduled", 0), status.get("updatedNumberScheduled", 0)
    available = status.get("numberAvailable", 0)
    done = desired > 0 and updated == available == desired
    return "done" if done else f"{updated} of {desired} updated, {available} available"


# Shared CA (M03) -----------------------------------------------------------------------------------------------------


def plan_share(spec: LabSpec) -> list[str]:
    first, *others = spec.clusters
    lines = []
    for other in others:
        lines.append(kubectl(other, "delete", "secret", "-n", NAMESPACE, CA_SECRET))
        given = kubectl(first, "get", "secret", "-n", NAMESPACE, CA_SECRET, "-o", "yaml")
        lines.append(f"{given} | \\\n  {kubectl(other, 'create', '-f', '-')}")
    return lines


def share_authority(lab: Lab, spec: LabSpec, deadline: Deadline) -> Outcome:
    """The first cluster's certificate authority in all others (M03). Repeatable. Raises LabError without one.

    Certificates that the old one signed stay as they are until `clustermesh enable` signs them anew.
    """
    first = lab.clusters[spec.clusters[0].name]
    shared = wait_until(
        partial(authority_in, first), lambda seen: seen is not None, deadline, f"{first.name}: a cilium-ca"
    )
    assert shared is not None
    print_ = authority_of(first, CA_SECRET)

    def take(cluster: Cluster, described: ClusterSpec) -> bool:
        if cluster.name == first.name or authority_of(cluster, CA_SECRET) == print_:
            return False
        replace_authority(cluster, shared)
        return True

    replaced = [name for name, changed in in_each(lab, spec, take).items() if changed]
    if not replaced:
        return Outcome.already("all clusters have the same cilium-ca", plan_share(spec))
    return Outcome.changed(f"cilium-ca of {', '.join(replaced)} replaced by {first.name}'s", plan_share(spec))


def part_authorities(lab: Lab, spec: LabSpec, deadline: Deadline) -> Outcome:
    """Undo of M03: an authority of its own for every cluster but the first. Repeatable."""
    prints = in_each(lab, spec, lambda cluster, _: authority_of(cluster, CA_SECRET))
    first = spec.clusters[0].name
    same = [name for name, print_ in prints.items() if name != first and print_ == prints[first]]
    for name in same:
        replace_authority(lab.clusters[name], make_authority(datetime.now(UTC)))
    what = f"own authorities in {', '.join(same) or 'all already'}"
    return Outcome.changed(what) if same else Outcome.already(what)


def replace_authority(cluster: Cluster, authority: Certified) -> None:
    """Delete and create, as the guide does."""
    cluster.delete(SECRET, CA_SECRET, NAMESPACE)
    cluster.create(ca_secret(authority))
