"""What `bgp-lab explain G14` says: what is observed, why, and how to see it by hand."""

from __future__ import annotations

from ipaddress import IPv4Address

from bgplab.checks.registry import Check
from bgplab.spec import derived
from bgplab.spec.model import ClusterSpec, LabSpec
from bgplab.spec.typed import typed_for

NODES_SHOWN = 3


def by_hand(check: Check, spec: LabSpec, vip: IPv4Address | None = None) -> tuple[str, ...]:
    """The commands a person would type, one line per router or cluster, and per node for the first few.

    `{app}`, `{client}` … are the first cluster's, except in a line that names the cluster's `{context}`.
    """
    first, nodes = spec.clusters[0], derived.all_nodes(spec)
    contexts = " ".join(cluster.context_name for cluster in spec.clusters)
    lines = []
    for pattern in check.explanation.by_hand:
        hosts: list[str] = [""]
        if "{router}" in pattern:
            hosts = [router.name for router in spec.routers]
        elif "{node}" in pattern:
            hosts = [node.name for node in nodes[:NODES_SHOWN]]
        clusters = spec.clusters if "{context}" in pattern else (first,)
        lines += [
            typed_for(cluster.app, pattern.format(**_words(cluster, vip), contexts=contexts, router=host, node=host))
            for cluster in clusters
            for host in hosts
        ]
    return tuple(lines)


def _words(cluster: ClusterSpec, vip: IPv4Address | None) -> dict[str, object]:
    app = cluster.app
    return {
        "app": app.name,
        "client": app.client,
        "namespace": app.namespace,
        "port": app.port,
        "replicas": app.replicas,
        "fewer": app.replicas - 1,
        "label": cluster.bgp.node_label,
        "pods": cluster.pod_cidr,
        "vip": vip or derived.first_vip(cluster.pool),
        "context": cluster.context_name,
    }


def explain(check: Check, spec: LabSpec) -> str:
    """The whole explanation as text for a terminal."""
    until = f" until {check.until}" if check.until else ""
    stays = "It is judged over a window: it must not appear later either." if check.stays else ""
    commands = "\n".join(f"    {line}" for line in by_hand(check, spec))
    parts = [
        f"{check.id}: {check.title}",
        f"Observed: {check.explanation.observed}",
        f"Why: {check.explanation.why}",
        f"Holds from {check.holds_from}{until}. {stays}".rstrip(),
        f"By hand:\n{commands}",
    ]
    return "\n\n".join(parts)
