"""Who announces, changed by hand: a session shut (E11), a label removed (E13), a route withdrawn (E15); and back."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from bgplab.lab.cluster import BGP_ADVERTISEMENT, NODE, Cluster
from bgplab.observe.frr_bgp import vtysh
from bgplab.observe.side_by_side import side_by_side
from bgplab.spec import manifests
from bgplab.spec.model import LabSpec, Node
from bgplab.steps.failover.event import Conditions, Event, Ground, subject
from bgplab.steps.outcome import kubectl_apply, on_host


def session_shut(here: Ground) -> Event:
    """At the first router alone: the others go on sending to the node."""
    node, router = subject(here.spec, here.conditions), here.spec.routers[0]
    shell = here.routers[router.name]
    return Event(
        did=f"{router.name}: neighbor {node.address} ({node.name}) shutdown",
        undone=f"{router.name}: no neighbor {node.address} ({node.name}) shutdown",
        nodes=(node.name,),
        make=lambda: shell.run(vtysh(*shut_commands(router.asn, node))),
        undo=lambda: shell.run(vtysh(*shut_commands(router.asn, node, "no "))),
        due=lambda: {**here.hops, router.name: here.hops[router.name] - {node.address}},
        only=router.name,
    )


def shut_commands(asn: int, node: Node, no: str = "") -> list[str]:
    return ["configure terminal", f"router bgp {asn}", f"{no}neighbor {node.address} shutdown", "end"]


def plan_shut(spec: LabSpec) -> list[str]:
    router, node = spec.routers[0], subject(spec, Conditions())
    return [on_host(router.name, vtysh(*shut_commands(router.asn, node, no))) for no in ("", "no ")]


def label_removed(here: Ground) -> Event:
    node, label = subject(here.spec, here.conditions), here.spec.cluster.bgp.node_label

    def set_label(value: str | None) -> None:
        here.lab.cluster.patch(NODE, node.name, {"metadata": {"labels": {label: value}}})

    return Event(
        did=f"{node.name}: label {label} removed",
        undone=f"{node.name}: label {label}=true set",
        nodes=(node.name,),
        make=partial(set_label, None),
        undo=partial(set_label, "true"),
        due=lambda: here.without(node.address),
    )


def plan_label(spec: LabSpec) -> list[str]:
    name, label = subject(spec, Conditions()).name, spec.cluster.bgp.node_label
    return [f"kubectl label node {name} {label}-", f"kubectl label node {name} {label}=true"]


def route_withdrawn(here: Ground) -> Event:
    cluster, advertisements = here.lab.cluster, manifests.service_advertisement(here.spec.cluster)
    names = [advertisement["metadata"]["name"] for advertisement in advertisements]
    return Event(
        did=f"advertisement {', '.join(names)} deleted",
        undone=f"advertisement {', '.join(names)} applied",
        nodes=(),
        make=partial(_delete_advertisements, cluster, names),
        undo=lambda: side_by_side(cluster.apply, advertisements),
        due=lambda: dict.fromkeys(here.hops, frozenset()),
    )


def _delete_advertisements(cluster: Cluster, names: Sequence[str]) -> None:
    for name in names:
        cluster.delete(BGP_ADVERTISEMENT, name)


def plan_withdraw(spec: LabSpec) -> list[str]:
    advertisements = manifests.service_advertisement(spec.cluster)
    deleted = [f"kubectl delete ciliumbgpadvertisement {one['metadata']['name']}" for one in advertisements]
    return [*deleted, kubectl_apply(advertisements)]
