"""BGP, and where the sample application finds its nodes."""

from __future__ import annotations

from collections.abc import Iterator

from bgplab.spec.derived import app_nodes
from bgplab.spec.model import LabSpec
from bgplab.spec.rules.registry import Breach, rule
from bgplab.spec.rules.walks import home_of, listed


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


#: Services that a cluster has from the start: namespace → names.
_OF_THE_CLUSTER = {"default": ("kubernetes",), "kube-system": ("kube-dns",)}


@rule("clusters.app")
def the_application_has_names_of_its_own(spec: LabSpec) -> Iterator[Breach]:
    for index, cluster in enumerate(spec.clusters):
        app, path = cluster.app, ("clusters", index, "app")
        if app.name in _OF_THE_CLUSTER.get(app.namespace, ()):
            yield Breach(
                (*path, "name"),
                f"{app.name!r} is a Service of the cluster itself in namespace {app.namespace}",
                "it would be overwritten",
                "give the application another name or namespace",
            )
        if app.client == app.name:
            yield Breach(
                (*path, "client"),
                f"{app.client!r} is also the name of the Service",
                "a pod takes its own name for itself (/etc/hosts) and would never ask the Service",
                "give the client pod another name",
            )


@rule("clusters")
def a_single_clusters_cilium_is_there(spec: LabSpec) -> Iterator[Breach]:
    for index, cluster in enumerate(spec.clusters):
        if not spec.is_mesh and not cluster.cilium_installed:
            yield Breach(
                ("clusters", index, "cilium_installed"),
                "the only cluster is without Cilium",
                "no step of the BGP lab installs it (of a mesh, M02 does): its nodes would stay NotReady",
                "leave it out, or describe several clusters",
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
        homes = app_nodes(cluster)
        if homes and app.replicas > len(homes):
            with_bgp = "" if len(homes) == len(names) else " with BGP"
            yield Breach(
                (*path, "replicas"),
                f"{app.replicas} replicas on {len(homes)} node(s){with_bgp}",
                "each runs on a node of its own (required anti-affinity); the rest would stay Pending",
                f"write {len(homes)} or fewer, or leave it out",
            )


@rule("clusters.nodes", "clusters.app", "subnets")
def answers_find_the_client(spec: LabSpec) -> Iterator[Breach]:
    """A router learns the way to the client pod from its node, like that to any other pod."""
    for index, cluster in enumerate(spec.clusters):
        home = next((node for node in cluster.nodes if node.name == cluster.app.client_node and not node.bgp), None)
        if home is None or cluster.id:
            continue
        own = home_of(spec, home.address)
        far = [node.name for node in app_nodes(cluster) if home_of(spec, node.address) != own]
        if far:
            yield Breach(
                ("clusters", index, "app", "client_node"),
                f"{home.name!r} has no BGP, and in other subnets are {listed(far)}",
                "no router would know the way back to the client pod: their pods could never answer it",
                "name a node with BGP, or give this one BGP",
            )
