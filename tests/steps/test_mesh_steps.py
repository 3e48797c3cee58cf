"""Steps of the mesh: what is so is left alone, what later steps made stays, and each can be undone."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_mesh import FakeMeshCluster, fake_mesh

from bgplab.errors import DeadlineExceeded, LabError
from bgplab.judge import stage_of
from bgplab.judge.cluster_mesh import CLUSTER_MESH
from bgplab.lab.cluster import CONFIG_MAP, SECRET
from bgplab.lab.model import Lab
from bgplab.lab.waiting import Deadline
from bgplab.observe.mesh_connections import read_connections
from bgplab.observe.mesh_install import read_installed
from bgplab.spec.loading import load_lab
from bgplab.steps import mesh_affinity, mesh_app, mesh_connect, mesh_failover, mesh_install
from bgplab.steps.mesh import MESH_STEPS, UNDO

LABS = Path(__file__).parents[2] / "deployments" / "labs"
MESH = load_lab(LABS / "mesh.yaml")


def soon() -> Deadline:
    return Deadline.after(0.5)


def walked(until: str) -> tuple[Lab, dict[str, FakeMeshCluster]]:
    """A mesh behind a step, without those that need traffic."""
    lab, clusters = fake_mesh(MESH)
    for id, step in MESH_STEPS.items():
        if id <= until and id not in ("M12", "M13", "M15"):
            step.do(lab, MESH, soon())
    return lab, clusters


@pytest.mark.parametrize("id", ["M02", "M03", "M04", "M05", "M07", "M08", "M09", "M11", "M14"])
def test_a_step_that_is_done_again_changes_nothing(id: str) -> None:
    lab, _ = walked(id)
    assert MESH_STEPS[id].do(lab, MESH, soon()).outcome == "already"


@pytest.mark.parametrize("id", ["M02", "M03", "M04", "M05", "M07", "M08", "M09"])
def test_a_step_is_undone_once_and_can_be_done_again(id: str) -> None:
    lab, _ = walked(id)
    assert UNDO[id](lab, MESH, soon()).outcome == "changed"
    assert UNDO[id](lab, MESH, soon()).outcome == "already"
    assert MESH_STEPS[id].do(lab, MESH, soon()).outcome == "changed"


@pytest.mark.parametrize("id", ["M01", "M02", "M03", "M04", "M05", "M07", "M08", "M09", "M11", "M14"])
def test_the_stage_is_read_from_what_a_step_leaves(id: str) -> None:
    lab, _ = walked(id)
    assert stage_of(lab, MESH, CLUSTER_MESH) == id


def test_a_cluster_without_pods_under_affinity_local_is_in_the_middle_of_the_failover() -> None:
    lab, clusters = walked("M11")
    clusters["west"].objects[("Deployment", "webpod")]["spec"]["replicas"] = 0
    assert stage_of(lab, MESH, CLUSTER_MESH) == "M12"


def test_doing_earlier_steps_again_leaves_later_ones_as_they_are() -> None:
    lab, clusters = walked("M14")
    before = {name: dict(cluster.objects) for name, cluster in clusters.items()}
    for id in ("M02", "M03", "M04", "M05", "M07", "M08", "M09", "M11"):
        assert MESH_STEPS[id].do(lab, MESH, soon()).outcome == "already", id
    assert {name: cluster.objects for name, cluster in clusters.items()} == before


def test_each_cluster_has_its_own_authority_until_it_is_shared() -> None:
    lab, clusters = walked("M02")
    prints = {read_installed(cluster).authority for cluster in clusters.values()}
    assert len(prints) == 2
    assert "east replaced by west's" in mesh_install.share_authority(lab, MESH, soon()).what
    assert len({read_installed(cluster).authority for cluster in clusters.values()}) == 1


def test_sharing_waits_for_an_authority_and_says_whose() -> None:
    lab, _ = fake_mesh(MESH)
    with pytest.raises(DeadlineExceeded, match="west: a cilium-ca"):
        mesh_install.share_authority(lab, MESH, soon())


def test_certificates_of_an_authority_that_was_replaced_are_signed_anew() -> None:
    lab, clusters = walked("M04")
    mesh_install.part_authorities(lab, MESH, soon())
    east = read_installed(clusters["east"])
    assert east.authority not in east.signed_by.values()
    assert mesh_connect.enable_mesh(lab, MESH, soon()).outcome == "changed"
    mended = read_installed(clusters["east"])
    assert set(mended.signed_by.values()) == {mended.authority}


def test_a_mesh_is_not_enabled_without_cilium() -> None:
    lab, _ = fake_mesh(MESH)
    with pytest.raises(LabError, match=r"has no Secret cilium-ca: install Cilium first \(M02\)"):
        mesh_connect.enable_mesh(lab, MESH, soon())


def test_both_sides_are_told_of_each_other_by_address_and_node_port() -> None:
    _, clusters = walked("M05")
    told = {name: read_connections(cluster) for name, cluster in clusters.items()}  # type: ignore[arg-type]
    assert {name: {to: (at.address, at.port) for to, at in seen.items()} for name, seen in told.items()} == {
        "west": {"east": ("172.18.0.5", 32380)},
        "east": {"west": ("172.18.0.3", 32379)},
    }


def test_clusters_with_different_authorities_are_connected_with_the_other_sides_certificates() -> None:
    lab, clusters = walked("M04")
    mesh_install.part_authorities(lab, MESH, soon())
    mesh_connect.enable_mesh(lab, MESH, soon())
    mesh_connect.connect_mesh(lab, MESH, soon())
    secret = clusters["west"].get(SECRET, "cilium-clustermesh", "kube-system")
    assert secret
    assert set(secret["data"]) == {"east", *(f"east.etcd-client{end}" for end in ("-ca.crt", ".key", ".crt"))}


def test_a_cluster_that_offers_no_node_port_cannot_be_connected_to() -> None:
    lab, _ = walked("M03")
    with pytest.raises(LabError, match="cannot be connected to: clustermesh-apiserver has no node port"):
        mesh_connect.connect_mesh(lab, MESH, soon())


def test_only_the_control_planes_taint_is_removed() -> None:
    lab, clusters = fake_mesh(MESH)
    other = {"key": "dedicated", "effect": "NoSchedule"}
    clusters["west"].objects[("Node", "west-control-plane")]["spec"]["taints"].append(other)
    assert "west-control-plane, east-control-plane" in mesh_app.untaint(lab, MESH, soon()).what
    assert clusters["west"].objects[("Node", "west-control-plane")]["spec"]["taints"] == [other]


def test_the_affinity_that_a_later_step_set_stays() -> None:
    lab, _ = walked("M14")
    outcome = mesh_affinity.prefer_local(lab, MESH, soon())
    assert outcome.outcome == "already"
    assert set(mesh_affinity.affinities(lab, MESH).values()) == {"remote"}


def test_no_affinity_takes_the_annotations_away() -> None:
    lab, _ = walked("M11")
    assert mesh_affinity.prefer_nobody(lab, MESH, soon()).outcome == "changed"
    assert set(mesh_affinity.affinities(lab, MESH).values()) == {"absent"}


def test_an_affinity_needs_a_service() -> None:
    lab, _ = walked("M07")
    with pytest.raises(LabError, match=r"west has no Service default/webpod \(M08\)"):
        mesh_affinity.prefer_local(lab, MESH, soon())


def test_pods_are_taken_away_under_affinity_local_only() -> None:
    lab, _ = walked("M09")
    with pytest.raises(LabError, match=r"affinity is absent; pods are taken away under affinity local \(M11\)"):
        mesh_failover.fail_over(lab, MESH, soon())
    lab, clusters = walked("M14")
    assert mesh_failover.fail_over(lab, MESH, soon()).outcome == "already"
    assert clusters["west"].objects[("Deployment", "webpod")]["spec"]["replicas"] == 2


def test_a_cluster_that_has_its_pods_is_not_restored() -> None:
    lab, _ = walked("M11")
    assert mesh_failover.restore(lab, MESH, soon()).outcome == "already"


def test_a_release_that_breaks_global_services_is_a_warning_before_any_work() -> None:
    broken = load_lab(LABS / "mesh.yaml", {"clusters[1].cilium_version": "'1.18.0'"})
    (warning,) = mesh_install.warnings(broken)
    assert warning.startswith("east: Cilium 1.18.0 is known to break global Services: backends of an unnamed")
    assert mesh_install.plan_install(broken)[0] == f"# warning: {warning}"
    assert mesh_install.warnings(MESH) == []


def test_the_configuration_has_the_clusters_name_and_id() -> None:
    _, clusters = walked("M02")
    config = clusters["east"].get(CONFIG_MAP, "cilium-config", "kube-system")
    assert config
    assert (config["data"]["cluster-name"], config["data"]["cluster-id"]) == ("east", "2")


#: What the guide types, step by step, and the dry run must have.
GUIDE = {
    "M02": [
        "cilium install \\\n  --version 1.17.6 \\\n",
        "--set ipv4NativeRoutingCIDR=10.0.0.0/16",
        "--context kind-west",
    ],
    "M03": [
        "kubectl --context kind-east delete secret -n kube-system cilium-ca",
        "kubectl --context kind-west get secret -n kube-system cilium-ca -o yaml | \\\n  kubectl --context kind-east",
    ],
    "M04": [
        f"cilium clustermesh enable --service-type NodePort --enable-kvstoremesh=false --context kind-{name}"
        for name in ("west", "east")
    ],
    "M05": [
        "cilium clustermesh connect --context kind-west --destination-context kind-east",
        "cilium clustermesh status --context kind-east --wait",
        "kubectl --context kind-west exec -n kube-system ds/cilium -c cilium-agent -- cilium node list",
    ],
    "M07": ["taint nodes east-control-plane node-role.kubernetes.io/control-plane:NoSchedule-"],
    "M08": [
        "kubectl --context kind-west apply -f -",
        "service.cilium.io/global: 'true'",
        "service list --clustermesh-affinity",
    ],
    "M09": ["kubectl --context kind-east exec curl-pod -- curl -s --connect-timeout 1 webpod"],
    "M11": ["kubectl --context kind-west annotate service webpod service.cilium.io/affinity=local --overwrite"],
    "M12": ["kubectl --context kind-west scale deployment webpod --replicas 0"],
    "M13": ["kubectl --context kind-west scale deployment webpod --replicas 2"],
    "M14": ["kubectl --context kind-east annotate service webpod service.cilium.io/affinity=remote --overwrite"],
    "M15": ["service.cilium.io/shared=false", "kubectl --context kind-east scale deployment webpod --replicas 0"],
}


@pytest.mark.parametrize("id", MESH_STEPS)
def test_the_dry_run_has_the_guides_own_commands(id: str) -> None:
    typed = "\n".join(MESH_STEPS[id].plan(MESH))
    for line in GUIDE[id]:
        assert line in typed


def test_three_clusters_are_connected_in_pairs() -> None:
    three = load_lab(LABS / "three-clusters.yaml")
    connects = [line for line in MESH_STEPS["M05"].plan(three) if " connect " in line]
    assert [line.split()[4::2] for line in connects] == [
        ["kind-west", "kind-east"],
        ["kind-west", "kind-north"],
        ["kind-east", "kind-north"],
    ]
