"""The BGP operator at work: configurations, nodes and conditions on a running cluster."""

from __future__ import annotations

import pytest

from bgplab.backends.embedded.controllers.conditions import find
from bgplab.lab.cluster import (
    BGP_CLUSTER_CONFIG,
    BGP_NODE_CONFIG,
    BGP_PEER_CONFIG,
    CILIUM_NODE,
    NODE,
)

ALL = {"k8s-ctr", "k8s-w0", "k8s-w1"}


def a_cluster_config(name: str = "cilium-bgp", **peer):
    peers = [{"name": "tor-switch", "peerASN": 65000, "peerAddress": "192.168.10.200", **peer}]
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumBGPClusterConfig",
        "metadata": {"name": name},
        "spec": {
            "nodeSelector": {"matchLabels": {"enable-bgp": "true"}},
            "bgpInstances": [{"name": "instance-65001", "localASN": 65001, "peers": peers}],
        },
    }


def a_peer_config(**spec):
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumBGPPeerConfig",
        "metadata": {"name": "cilium-peer"},
        "spec": spec,
    }


def label(lab_cluster, *nodes: str, value: str | None = "true"):
    for node in nodes:
        lab_cluster.cluster.patch(NODE, node, {"metadata": {"labels": {"enable-bgp": value}}})


def configured(lab_cluster, nodes: set[str]):
    return lab_cluster.until(
        lambda: lab_cluster.cluster.list(BGP_NODE_CONFIG),
        lambda seen: {config["metadata"]["name"] for config in seen} == nodes,
        f"node configurations of {nodes}",
    )


def condition_is(lab_cluster, kind, name: str, condition: str, status: str):
    manifest = lab_cluster.until(
        lambda: lab_cluster.cluster.get(kind, name),
        lambda seen: (find(seen.get("status", {}).get("conditions"), condition) or {}).get("status") == status,
        f"{name}: {condition} is {status}",
    )
    return find(manifest["status"]["conditions"], condition)["message"]


@pytest.fixture
def peering_cluster(lab_cluster):
    """Every node is labelled and configured."""
    label(lab_cluster, *ALL)
    lab_cluster.cluster.create(a_peer_config())
    lab_cluster.cluster.create(a_cluster_config(peerConfigRef={"name": "cilium-peer"}))
    configured(lab_cluster, ALL)
    return lab_cluster


def test_a_cilium_node_follows_its_node(lab_cluster):
    node = lab_cluster.until(lambda: lab_cluster.cluster.get(CILIUM_NODE, "k8s-w1"), bool)
    assert node["spec"]["ipam"]["podCIDRs"] == ["172.20.1.0/24"]
    assert {"type": "InternalIP", "ip": "192.168.10.100"} in node["spec"]["addresses"]
    label(lab_cluster, "k8s-w1")
    lab_cluster.until(
        lambda: lab_cluster.cluster.get(CILIUM_NODE, "k8s-w1"),
        lambda seen: seen["metadata"]["labels"].get("enable-bgp") == "true",
    )


def test_every_labelled_node_is_configured(lab_cluster):
    label(lab_cluster, "k8s-ctr", "k8s-w0")
    made = lab_cluster.cluster.create(a_cluster_config())
    config = configured(lab_cluster, {"k8s-ctr", "k8s-w0"})[0]
    assert config["spec"]["bgpInstances"] == made["spec"]["bgpInstances"]
    owner = {"apiVersion": "cilium.io/v2", "kind": "CiliumBGPClusterConfig", "name": "cilium-bgp"}
    assert config["metadata"]["ownerReferences"] == [{**owner, "uid": made["metadata"]["uid"], "controller": True}]


def test_an_unlabelled_node_loses_its_configuration(peering_cluster):
    label(peering_cluster, "k8s-w0", value=None)
    configured(peering_cluster, ALL - {"k8s-w0"})


def test_a_deleted_node_configuration_is_made_anew(peering_cluster):
    before = peering_cluster.cluster.get(BGP_NODE_CONFIG, "k8s-w0")["metadata"]["uid"]
    peering_cluster.cluster.delete(BGP_NODE_CONFIG, "k8s-w0")
    peering_cluster.until(
        lambda: peering_cluster.cluster.get(BGP_NODE_CONFIG, "k8s-w0"),
        lambda seen: seen is not None and seen["metadata"]["uid"] != before,
    )


def test_an_edited_node_configuration_is_put_back(peering_cluster):
    edit = {"spec": {"bgpInstances": [{"name": "mine"}]}}
    peering_cluster.cluster.patch(BGP_NODE_CONFIG, "k8s-w0", edit)
    peering_cluster.until(
        lambda: peering_cluster.cluster.get(BGP_NODE_CONFIG, "k8s-w0"),
        lambda seen: seen["spec"]["bgpInstances"][0]["name"] == "instance-65001",
    )


def test_a_deleted_cluster_configuration_takes_its_node_configurations_along(peering_cluster):
    peering_cluster.cluster.delete(BGP_CLUSTER_CONFIG, "cilium-bgp")
    configured(peering_cluster, set())


def test_a_second_configuration_for_the_same_nodes_is_in_conflict_until_the_first_goes(peering_cluster):
    peering_cluster.cluster.create(a_cluster_config("second"))
    conflict = "cilium.io/ConflictingClusterConfig"
    message = condition_is(peering_cluster, BGP_CLUSTER_CONFIG, "second", conflict, "True")
    assert message == "Selecting the same node(s) with ClusterConfig(s): [cilium-bgp]"
    peering_cluster.cluster.delete(BGP_CLUSTER_CONFIG, "cilium-bgp")
    condition_is(peering_cluster, BGP_CLUSTER_CONFIG, "second", conflict, "False")
    owners = {config["metadata"]["ownerReferences"][0]["name"] for config in configured(peering_cluster, ALL)}
    assert owners == {"second"}


def test_a_configuration_that_selects_nobody_says_so(lab_cluster):
    lab_cluster.cluster.create(a_cluster_config())
    condition_is(lab_cluster, BGP_CLUSTER_CONFIG, "cilium-bgp", "cilium.io/NoMatchingNode", "True")
    label(lab_cluster, "k8s-w0")
    condition_is(lab_cluster, BGP_CLUSTER_CONFIG, "cilium-bgp", "cilium.io/NoMatchingNode", "False")


def test_a_missing_peer_configuration_is_named(lab_cluster):
    lab_cluster.cluster.create(a_cluster_config(peerConfigRef={"name": "cilium-peer"}))
    missing = "cilium.io/MissingPeerConfigs"
    message = condition_is(lab_cluster, BGP_CLUSTER_CONFIG, "cilium-bgp", missing, "True")
    assert message == "Referenced CiliumBGPPeerConfig(s) are missing: [cilium-peer]"
    lab_cluster.cluster.create(a_peer_config())
    condition_is(lab_cluster, BGP_CLUSTER_CONFIG, "cilium-bgp", missing, "False")


def test_a_missing_secret_is_named_until_it_is_there(lab_cluster):
    lab_cluster.cluster.create(a_peer_config(authSecretRef="bgp-auth"))
    missing = "cilium.io/MissingAuthSecret"
    message = condition_is(lab_cluster, BGP_PEER_CONFIG, "cilium-peer", missing, "True")
    assert message == 'Referenced Auth Secret "bgp-auth" is missing'
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "bgp-auth", "namespace": "kube-system"}}
    lab_cluster.cluster.create(secret)
    condition_is(lab_cluster, BGP_PEER_CONFIG, "cilium-peer", missing, "False")


def test_an_override_reaches_its_node_only(peering_cluster):
    peering_cluster.cluster.create(
        {
            "apiVersion": "cilium.io/v2",
            "kind": "CiliumBGPNodeConfigOverride",
            "metadata": {"name": "k8s-w0"},
            "spec": {"bgpInstances": [{"name": "instance-65001", "routerID": "1.2.3.4"}]},
        }
    )
    peering_cluster.until(
        lambda: {
            config["metadata"]["name"]: config["spec"]["bgpInstances"][0].get("routerID")
            for config in peering_cluster.cluster.list(BGP_NODE_CONFIG)
        },
        lambda seen: seen == {"k8s-ctr": None, "k8s-w1": None, "k8s-w0": "1.2.3.4"},
    )
