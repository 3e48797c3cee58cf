"""BGP, and where the sample application finds its nodes."""

from __future__ import annotations

from collections.abc import Iterator

from bgplab.spec.model import LabSpec
from bgplab.spec.rules.registry import Breach, rule
from bgplab.spec.rules.walks import listed


@rule("clusters.bgp.asn", "routers.asn")
def nodes_and_routers_differ_in_as(spec: LabSpec) -> Iterator[Breach]:
    for index, cluster in enumerate(spec.clusters):
        same = [router.name for router in spec.routers if router.asn == cluster.bgp.asn]
        if same:
            yield Breach(
                ("clusters", index, "bgp", "asn"),
                f"AS {cluster.bgp.asn} is also the AS of {listed(same)}",
                "the routers' peer group says 'remote-as external': a session inside one AS is refused",
                "give nodes and routers different AS numbers",
            )


@rule("clusters.bgp.timers")
def keepalive_is_not_above_hold(spec: LabSpec) -> Iterator[Breach]:
    for index, cluster in enumerate(spec.clusters):
        timers = cluster.bgp.timers
        if timers.keepalive_seconds > timers.hold_seconds:
            yield Breach(
                ("clusters", index, "bgp", "timers", "keepalive_seconds"),
                f"{timers.keepalive_seconds} s is more than hold_seconds, {timers.hold_seconds} s",
                "the session would be given up between two keepalives; Cilium 1.18 refuses the PeerConfig",
                f"write {max(1, timers.hold_seconds // 3)}, a third of hold_seconds (RFC 4271, 10)",
            )


@rule("clusters.nodes")
def pods_find_their_nodes(spec: LabSpec) -> Iterator[Breach]:
    for index, cluster in enumerate(spec.clusters):
        names, app, path = [node.name for node in cluster.nodes], cluster.app, ("clusters", index, "app")
        if names and app.client_node is not None and app.client_node not in names:
            yield Breach(
                (*path, "client_node"),
                f"{app.client_node!r} is not a node of the cluster",
                "the client pod would wait for it forever",
                f"name one of {listed(names)}",
            )
        if names and app.replicas > len(names):
            yield Breach(
                (*path, "replicas"),
                f"{app.replicas} replicas on {len(names)} node(s)",
                "each runs on a node of its own (required anti-affinity); the rest would stay Pending",
                f"write {len(names)} or fewer, or leave it out",
            )
