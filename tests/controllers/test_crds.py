"""Our resource definitions: as facts say, and as Cilium's own files behave where those are at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from crd_corpus import CORPUS

from bgplab.backends.embedded.crds import load_crds, stored_kind
from bgplab.lab.cluster import BGP_PEER_CONFIG, CILIUM_NODE, LB_POOL, ApiError, Cluster

SHIPPED = Path(__file__).parents[3] / "shared" / "data" / "crds"
BGP_KINDS = {
    "CiliumBGPClusterConfig",
    "CiliumBGPPeerConfig",
    "CiliumBGPAdvertisement",
    "CiliumBGPNodeConfig",
    "CiliumBGPNodeConfigOverride",
}


def served(cilium_version: str) -> dict[str, list[tuple[str, bool, bool]]]:
    """kind → [(version, stored, deprecated)]"""
    return {
        crd["spec"]["names"]["kind"]: [
            (version["name"], version["storage"], version.get("deprecated", False))
            for version in crd["spec"]["versions"]
        ]
        for crd in load_crds(cilium_version)
    }


def test_1_18_stores_v2_and_deprecates_v2alpha1_but_for_the_pool():
    versions = served("1.18")
    assert all(versions[kind] == [("v2", True, False), ("v2alpha1", False, True)] for kind in BGP_KINDS)
    assert versions["CiliumLoadBalancerIPPool"] == [("v2", True, False), ("v2alpha1", False, False)]


def test_1_17_serves_v2alpha1_only():
    versions = served("1.17.6")
    assert all(versions[kind] == [("v2alpha1", True, False)] for kind in (*BGP_KINDS, "CiliumLoadBalancerIPPool"))
    assert versions["CiliumNode"] == [("v2", True, False)]


def test_1_19_deprecates_the_pools_v2alpha1_too():
    assert served("1.19.4")["CiliumLoadBalancerIPPool"] == [("v2", True, False), ("v2alpha1", False, True)]


def test_kinds_are_written_in_the_stored_version():
    assert stored_kind(LB_POOL, "1.17.6").api_version == "cilium.io/v2alpha1"
    assert stored_kind(LB_POOL, "1.18").api_version == "cilium.io/v2"
    assert stored_kind(CILIUM_NODE, "1.17.6").api_version == "cilium.io/v2"


def test_an_unknown_release_is_refused():
    with pytest.raises(LookupError, match="no resource definitions"):
        load_crds("1.12")


def test_no_marker_of_ours_is_left_in_a_definition():
    assert "x-part" not in str(load_crds("1.18"))
    assert "x-only" not in str(load_crds("1.18"))


def test_defaults_are_stored_as_cilium_stores_them(bare_cluster: Cluster):
    install(bare_cluster, load_crds("1.18"))
    made = bare_cluster.create(a_manifest("CiliumBGPPeerConfig", {"timers": {}, "transport": {}}))
    assert made["spec"] == {
        "ebgpMultihop": 1,
        "timers": {"connectRetryTimeSeconds": 120, "holdTimeSeconds": 90, "keepAliveTimeSeconds": 30},
        "transport": {"peerPort": 179},
    }


def test_the_keepalive_rule_came_with_1_18(bare_cluster: Cluster):
    install(bare_cluster, load_crds("1.17.6"))
    wrong = {"timers": {"holdTimeSeconds": 9, "keepAliveTimeSeconds": 10}}
    bare_cluster.create(a_manifest("CiliumBGPPeerConfig", wrong, "v2alpha1"))


def test_the_keepalive_rule_is_refused_with_ciliums_words(bare_cluster: Cluster):
    install(bare_cluster, load_crds("1.18"))
    wrong = {"timers": {"holdTimeSeconds": 9, "keepAliveTimeSeconds": 10}}
    with pytest.raises(ApiError, match="keepAliveTimeSeconds can not be larger than holdTimeSeconds"):
        bare_cluster.create(a_manifest("CiliumBGPPeerConfig", wrong))


def test_an_object_of_the_old_version_is_there_in_the_new_one(bare_cluster: Cluster):
    install(bare_cluster, load_crds("1.18"))
    bare_cluster.create(a_manifest("CiliumBGPPeerConfig", {"ebgpMultihop": 2}, "v2alpha1"))
    assert bare_cluster.get(BGP_PEER_CONFIG, "x")["spec"]["ebgpMultihop"] == 2


@pytest.mark.skipif(not SHIPPED.is_dir(), reason="Cilium's own definitions are not at hand")
@pytest.mark.parametrize(
    ("cilium_version", "folder", "api"),
    [
        ("1.18", "1.18-branchpoint", "v2"),
        ("1.18", "1.18-branchpoint", "v2alpha1"),
        ("1.17.6", "1.17.6", "v2alpha1"),
    ],
)
def test_ours_accept_refuse_and_complete_as_ciliums_own_do(
    bare_cluster: Cluster, cilium_version: str, folder: str, api: str
):
    install(bare_cluster, load_crds(cilium_version))
    ours = outcomes(bare_cluster, api)
    for crd in load_crds(cilium_version):
        bare_cluster.delete(bare_cluster.kind_of(crd), crd["metadata"]["name"])
    install(bare_cluster, [yaml.safe_load(path.read_text()) for path in sorted((SHIPPED / folder).glob("*.yaml"))])
    assert ours == outcomes(bare_cluster, api)


@pytest.mark.skipif(not SHIPPED.is_dir(), reason="Cilium's own definitions are not at hand")
@pytest.mark.parametrize(("cilium_version", "folder"), [("1.18", "1.18-branchpoint"), ("1.17.6", "1.17.6")])
def test_names_columns_and_versions_are_ciliums(cilium_version: str, folder: str):
    shipped = [yaml.safe_load(path.read_text()) for path in (SHIPPED / folder).glob("*.yaml")]
    theirs = {crd["spec"]["names"]["kind"]: face(crd) for crd in shipped}
    for crd in load_crds(cilium_version):
        kind = crd["spec"]["names"]["kind"]
        if kind in theirs:
            assert face(crd) == theirs[kind]
    assert theirs.keys() - {"CiliumBGPPeeringPolicy"} <= {
        crd["spec"]["names"]["kind"] for crd in load_crds(cilium_version)
    }


def face(crd: dict[str, Any]) -> dict[str, Any]:
    """What kubectl shows of a definition."""
    spec = crd["spec"]
    return {
        "names": spec["names"],
        "scope": spec["scope"],
        "versions": [
            {
                "name": version["name"],
                "served": version["served"],
                "storage": version["storage"],
                "deprecated": version.get("deprecated", False),
                "status": "status" in version.get("subresources", {}),
                "columns": [
                    (column["name"], column["type"], column["jsonPath"])
                    for column in version["additionalPrinterColumns"]
                ],
            }
            for version in spec["versions"]
        ],
    }


def outcomes(cluster: Cluster, api: str) -> dict[str, Any]:
    """Of every manifest of the corpus: the stored spec, or at which fields it was refused."""
    return {
        f"{kind}: {name}": outcome(cluster, a_manifest(kind, spec, api))
        for kind, specs in CORPUS.items()
        for name, spec in specs.items()
    }


def outcome(cluster: Cluster, manifest: dict[str, Any]) -> Any:
    try:
        made = cluster.create(manifest)
    except ApiError as refusal:
        causes = (refusal.status.get("details") or {}).get("causes") or [{"message": refusal.status["message"]}]
        return sorted({cause.get("field", cause.get("message")) for cause in causes})
    cluster.delete(cluster.kind_of(manifest), "x")
    return made["spec"]


def install(cluster: Cluster, crds: list[dict[str, Any]]) -> None:
    for crd in crds:
        cluster.create(crd)


def a_manifest(kind: str, spec: dict[str, Any], api: str = "v2") -> dict[str, Any]:
    return {"apiVersion": f"cilium.io/{api}", "kind": kind, "metadata": {"name": "x"}, "spec": spec}
