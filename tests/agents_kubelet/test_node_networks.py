"""Nodes with and without a network plugin, and what an agent reads when it starts."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

from bgplab.backends.embedded.agents.agent_settings import AgentSettings, settings_of
from bgplab.backends.embedded.agents.kubelet.node import node_manifest
from bgplab.backends.embedded.agents.kubelet.node_networks import NodeNetworks
from bgplab.spec.cilium_install import config_map, ip_masq_agent
from bgplab.spec.loading import load_lab

MESH = load_lab("mesh")
WEST, _ = MESH.clusters
NODE_ADDRESSES = [node.address for node in WEST.nodes]
IMAGE = "quay.io/cilium/cilium:v1.17.6"


def ready_of(manifest):
    (condition,) = [one for one in manifest["status"]["conditions"] if one["type"] == "Ready"]
    return condition["status"], condition["reason"], condition["message"]


def test_a_node_with_its_network_is_ready_and_has_no_taint():
    for node in (*load_lab("guide").cluster.nodes, *WEST.nodes):
        manifest = node_manifest(node)
        assert ready_of(manifest) == ("True", "KubeletReady", "kubelet is posting ready status")
        assert "taints" not in manifest["spec"]


def test_a_node_without_its_network_is_tainted_and_a_control_plane_twice():
    control_plane, worker = (node_manifest(node, network_ready=False) for node in WEST.nodes)
    assert ready_of(worker)[:2] == ("False", "KubeletNotReady")
    assert ready_of(worker)[2].endswith("Network plugin returns error: cni plugin not initialized")
    assert [taint["key"] for taint in worker["spec"]["taints"]] == ["node.kubernetes.io/not-ready"]
    assert [taint["key"] for taint in control_plane["spec"]["taints"]] == [
        "node-role.kubernetes.io/control-plane",
        "node.kubernetes.io/not-ready",
    ]


def test_only_a_change_of_a_nodes_network_is_told():
    heard: list[str] = []
    networks = NodeNetworks(["one"])
    networks.subscribe(heard.append)
    networks.set_ready("one", True)
    networks.set_ready("two", True)
    networks.set_ready("one", False)
    networks.set_ready("one", False)
    assert heard == ["two", "one"]
    assert (networks.is_ready("one"), networks.is_ready("two")) == (False, True)


def test_an_agent_is_what_its_image_and_configuration_say():
    seen = settings_of(IMAGE, config_map(WEST), ip_masq_agent(MESH, WEST), NODE_ADDRESSES)
    assert seen == AgentSettings(
        version="1.17.6",
        cluster_name="west",
        cluster_id=1,
        native_routing=(
            IPv4Network("10.0.0.0/16"),
            IPv4Network("10.1.0.0/16"),
            IPv4Network("172.18.0.3/32"),
            IPv4Network("172.18.0.2/32"),
        ),
        bgp=False,
    )


def test_without_a_list_of_its_own_the_masquerading_agent_leaves_private_networks_alone():
    config = {"data": {"enable-ip-masq-agent": "true", "ipv4-native-routing-cidr": "10.0.0.0/16"}}
    native = settings_of(IMAGE, config, None, [IPv4Address("172.18.0.3")]).native_routing
    assert IPv4Network("10.0.0.0/8") in native
    assert IPv4Network("192.168.0.0/16") in native


def test_without_any_configuration_an_agent_has_ciliums_defaults():
    assert settings_of(IMAGE, None, None, []) == AgentSettings(version="1.17.6", bgp=False)
