"""Descriptions with several clusters, and their manifests."""

from __future__ import annotations

import itertools

import pytest

from bgplab.spec import manifests
from bgplab.spec.derived import neighbours
from bgplab.spec.kinds import known_kinds
from bgplab.spec.loading import load_lab, parse_lab, shipped_labs
from bgplab.spec.mesh_manifests import AFFINITY, GLOBAL, SHARED, service_annotations

MESH, THREE = load_lab("mesh"), load_lab("three-clusters")


@pytest.mark.parametrize("spec", [MESH, THREE], ids=["mesh", "three-clusters"])
def test_clusters_of_a_shipped_mesh_differ_in_all_that_must(spec) -> None:
    for one, other in itertools.combinations(spec.clusters, 2):
        assert one.id != other.id
        assert one.context_name != other.context_name
        assert one.mesh.node_port != other.mesh.node_port
        assert not one.pod_cidr.overlaps(other.pod_cidr)
        assert not one.service_cidr.overlaps(other.service_cidr)


@pytest.mark.parametrize("spec", [MESH, THREE], ids=["mesh", "three-clusters"])
def test_every_node_of_a_shipped_mesh_is_every_others_neighbour(spec) -> None:
    nodes = {node.name for cluster in spec.clusters for node in cluster.nodes}
    for cluster in spec.clusters:
        for node in cluster.nodes:
            assert {other.name for other in neighbours(spec, node)} == nodes - {node.name}


def test_the_mesh_is_the_guides() -> None:
    seen = {
        cluster.context_name: (
            cluster.name,
            cluster.id,
            str(cluster.pod_cidr),
            str(cluster.service_cidr),
            cluster.cilium_version,
            cluster.cilium_installed,
            cluster.app.replicas,
            [(node.name, str(node.address), node.control_plane) for node in cluster.nodes],
        )
        for cluster in MESH.clusters
    }
    assert seen == {
        "kind-west": (
            *("west", 1, "10.0.0.0/16", "10.2.0.0/16", "1.17.6", False, 2),
            [("west-control-plane", "172.18.0.3", True), ("west-worker", "172.18.0.2", False)],
        ),
        "kind-east": (
            *("east", 2, "10.1.0.0/16", "10.3.0.0/16", "1.17.6", False, 2),
            [("east-control-plane", "172.18.0.5", True), ("east-worker", "172.18.0.4", False)],
        ),
    }


def test_a_cluster_without_a_context_of_its_own_is_in_one_of_its_name() -> None:
    assert load_lab("guide").cluster.context_name == "kubernetes"


def test_equal_node_ports_are_possible_because_a_check_names_them() -> None:
    spec = load_lab("mesh", {"clusters[1].mesh.node_port": "32379"})
    assert [cluster.mesh.node_port for cluster in spec.clusters] == [32379, 32379]


def test_clusters_in_different_subnets_need_a_router_in_both() -> None:
    text = shipped_labs()["mesh"].read_text()
    text = text.replace("172.18.0.5", "172.19.0.5").replace("172.18.0.4", "172.19.0.4")
    text = text.replace("cidr: 172.18.0.0/16}", "cidr: 172.18.0.0/16}\n  - {name: other, cidr: 172.19.0.0/16}")
    text = text.replace("routers: []", "routers: [{addresses: [172.18.0.200, 172.19.0.200]}]")
    spec = parse_lab(text, "apart.yaml")
    assert {neighbour.name for neighbour in neighbours(spec, spec.clusters[0].nodes[0])} == {"west-worker"}


def test_clusters_that_announce_nothing_may_have_the_same_pool() -> None:
    assert len({cluster.pool.cidr for cluster in MESH.clusters}) == 1


# Manifests -----------------------------------------------------------------------------------------------------------


def test_a_bgp_labs_manifests_are_those_of_its_only_cluster() -> None:
    guide = load_lab("guide")
    assert manifests.by_cluster(guide) == {"kubernetes": manifests.by_step(guide, guide.cluster)}


def test_a_meshs_manifests_are_of_known_kinds_and_named() -> None:
    rendered = manifests.by_cluster(THREE)
    assert list(rendered) == ["west", "east", "north"]
    known = known_kinds("1.17.6")
    for steps in rendered.values():
        assert list(steps) == ["M02", "M04", "M05", "M08", "M09"]
        for items in steps.values():
            named = [(item["kind"], item["metadata"]["name"]) for item in items]
            assert len(set(named)) == len(named)
            for item in items:
                assert item["apiVersion"] in known[item["kind"]]


def test_the_sample_applications_service_is_global_and_nothing_else_is() -> None:
    (west, *_) = MESH.clusters
    for manifest in manifests.by_cluster(MESH)[west.name]["M08"]:
        annotations = manifest["metadata"].get("annotations")
        assert annotations == ({GLOBAL: "true"} if manifest["kind"] == "Service" else None)


def test_a_global_services_annotations_say_only_what_is_asked_for() -> None:
    assert service_annotations() == {GLOBAL: "true"}
    assert service_annotations(affinity="local", shared=False) == {GLOBAL: "true", AFFINITY: "local", SHARED: "false"}
    assert service_annotations(shared=True) == {GLOBAL: "true", SHARED: "true"}
