"""What `bgp-lab explain G14` says: what is observed, why, and how to see it by hand."""

from __future__ import annotations

from ipaddress import IPv4Address

from bgplab.checks.registry import Check
from bgplab.spec import derived
from bgplab.spec.model import LabSpec

NODES_SHOWN = 3


def by_hand(check: Check, spec: LabSpec, vip: IPv4Address | None = None) -> tuple[str, ...]:
    """The commands a person would type, one line per router, and per node for the first few."""
    app = spec.cluster.app
    words = {
        "app": app.name,
        "client": app.client,
        "namespace": app.namespace,
        "label": spec.cluster.bgp.node_label,
        "pods": spec.cluster.pod_cidr,
        "vip": vip or derived.first_vip(spec.cluster.pool),
    }
    lines = []
    for pattern in check.explanation.by_hand:
        hosts: list[str] = [""]
        if "{router}" in pattern:
            hosts = [router.name for router in spec.routers]
        elif "{node}" in pattern:
            hosts = [node.name for node in spec.cluster.nodes[:NODES_SHOWN]]
        lines += [pattern.format(**words, router=host, node=host) for host in hosts]
    return tuple(lines)


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
