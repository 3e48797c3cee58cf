"""Several clusters: who they are to each other, and whether their nodes reach each other.

Whose rules: Cilium's Helm chart and agent 1.17/1.18 (validate.yaml, `invalid cluster id`), and its requirements for a
mesh: nodes of all clusters reach each other by their InternalIPs, pod CIDRs are disjoint (`networks.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from bgplab.spec.derived import router_address_in
from bgplab.spec.model import LabSpec
from bgplab.spec.places import dotted
from bgplab.spec.rules.registry import Breach, rule
from bgplab.spec.rules.walks import node_subnets, repeated

LONGEST_NAME = 32


@rule("clusters.id")
def clusters_of_a_mesh_have_ids_of_their_own(spec: LabSpec) -> Iterator[Breach]:
    if not spec.is_mesh:
        return
    for index, cluster in enumerate(spec.clusters):
        if not cluster.id:
            yield Breach(
                ("clusters", index, "id"),
                f"cluster {cluster.name!r} has no id",
                "Cilium tells the clusters of a mesh apart by it; 0 means no member of a mesh",
                "write a number from 1 to 255, each cluster its own",
            )
    given = [(("clusters", index, "id"), cluster.id) for index, cluster in enumerate(spec.clusters) if cluster.id]
    for path, number, first in repeated(given):
        yield Breach(
            path,
            f"{number} is also {dotted(first)}",
            "security identities of two clusters with one id would be mixed up; Cilium refuses to connect them",
            "give it another id",
        )


@rule("clusters.name")
def a_meshs_cluster_names_suit_cilium(spec: LabSpec) -> Iterator[Breach]:
    for index, cluster in enumerate(spec.clusters):
        if not cluster.id:
            continue
        if len(cluster.name) > LONGEST_NAME:
            yield Breach(
                ("clusters", index, "name"),
                f"{cluster.name!r} has {len(cluster.name)} characters, at most {LONGEST_NAME} are possible",
                "Cilium's cluster-name has 32 at most",
                "shorten it",
            )
        if cluster.name == "default":
            yield Breach(
                ("clusters", index, "name"),
                "'default' is the name of a cluster that is in no mesh",
                "Cilium's chart refuses it together with an id",
                "give it another name",
            )


@rule("clusters.context", "clusters.name")
def contexts_are_unique(spec: LabSpec) -> Iterator[Breach]:
    names = {cluster.name for cluster in spec.clusters}
    if len(names) < len(spec.clusters):
        return  # said of the names themselves
    contexts = [(("clusters", index, "context"), cluster.context_name) for index, cluster in enumerate(spec.clusters)]
    for path, name, first in repeated(contexts):
        yield Breach(
            path,
            f"{name!r} is also {dotted(first)}",
            "one kubeconfig has all clusters, each in a context of its own",
            "give it another context",
        )


@rule("routers", "subnets")
def node_networks_without_a_router_are_one(spec: LabSpec) -> Iterator[Breach]:
    """With routers, `routers.py` judges it; here is the lab that has none."""
    if spec.routers or not spec.is_mesh:
        return
    for (one, _, _), (other, path, _) in combinations(node_subnets(spec), 2):
        if not any(router_address_in(router, one) and router_address_in(router, other) for router in spec.routers):
            yield Breach(
                path,
                f"no router is in both {one.name!r} and {other.name!r}",
                "nodes of all clusters must reach each other by their addresses",
                "put all nodes into one subnet, or give a router an address in both",
            )
