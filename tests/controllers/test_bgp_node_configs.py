"""What cilium-operator asks of each node, from literals."""

from __future__ import annotations

from bgplab.backends.embedded.controllers.bgp_node_configs import instances_for, peer_configs_of, plan_of
from bgplab.backends.embedded.controllers.bgp_operator import cluster_config_conditions

PEER = {
    "name": "tor-switch",
    "peerASN": 65000,
    "peerAddress": "192.168.10.200",
    "peerConfigRef": {"name": "cilium-peer"},
}


def a_config(name: str = "cilium-bgp", uid: str = "1"):
    return {
        "metadata": {"name": name, "uid": uid, "generation": 1},
        "spec": {
            "nodeSelector": {"matchLabels": {"enable-bgp": "true"}},
            "bgpInstances": [{"name": "instance-65001", "localASN": 65001, "peers": [PEER]}],
        },
    }


def a_node(name: str, **labels: str):
    return {"metadata": {"name": name, "labels": {"enable-bgp": "true", **labels}}}


def a_node_config(name: str, owner: tuple[str, str] | None):
    references = [{"name": owner[0], "uid": owner[1]}] if owner else []
    return {"metadata": {"name": name, "ownerReferences": references}, "spec": {}}


def test_every_selected_node_gets_the_instances():
    plan = plan_of(a_config(), [a_node("w0"), {"metadata": {"name": "w1"}}], [], {})
    assert plan.wanted == {"w0": {"bgpInstances": a_config()["spec"]["bgpInstances"]}}


def test_a_node_that_is_no_longer_selected_loses_its_configuration():
    plan = plan_of(a_config(), [], [a_node_config("w0", ("cilium-bgp", "1"))], {})
    assert plan.unwanted == ("w0",)


def test_a_node_stays_with_the_first_owner():
    plan = plan_of(a_config("second", "2"), [a_node("w0")], [a_node_config("w0", ("cilium-bgp", "1"))], {})
    assert (dict(plan.wanted), plan.rivals) == ({}, ("cilium-bgp",))


def test_a_recreated_configuration_competes_with_itself():
    plan = plan_of(a_config(uid="2"), [a_node("w0")], [a_node_config("w0", ("cilium-bgp", "1"))], {})
    assert plan.rivals == ("cilium-bgp",)


def test_a_node_configuration_without_owner_is_left_alone():
    plan = plan_of(a_config(), [a_node("w0")], [a_node_config("w0", None)], {})
    assert (dict(plan.wanted), plan.unwanted, plan.rivals) == ({}, (), ())


def test_an_override_is_laid_over_its_instance():
    over = {
        "name": "instance-65001",
        "routerID": "1.2.3.4",
        "localPort": 1179,
        "localASN": 65009,
        "peers": [{"name": "tor-switch", "localAddress": "10.0.0.1", "localPort": 99}],
    }
    (instance,) = instances_for(a_config(), {"spec": {"bgpInstances": [over]}})
    assert (instance["routerID"], instance["localPort"], instance["localASN"]) == ("1.2.3.4", 1179, 65009)
    assert instance["peers"] == [{**PEER, "localAddress": "10.0.0.1"}]


def test_an_override_of_an_unknown_instance_does_nothing():
    override = {"spec": {"bgpInstances": [{"name": "other", "routerID": "1.2.3.4"}]}}
    assert instances_for(a_config(), override) == a_config()["spec"]["bgpInstances"]


def test_peers_without_a_reference_miss_nothing():
    config = a_config()
    config["spec"]["bgpInstances"] = [{"name": "i", "peers": [{"name": "p"}]}]
    assert peer_configs_of(config) == set()


def test_all_three_conditions_are_always_there_with_the_operators_words():
    plan = plan_of(a_config(), [a_node("w0")], [], {})
    said = {c.type: (c.status, c.reason, c.message) for c in cluster_config_conditions(plan, ["b", "a"], 1)}
    assert said == {
        "cilium.io/ConflictingClusterConfig": ("False", "ConflictingClusterConfigs", ""),
        "cilium.io/MissingPeerConfigs": (
            "True",
            "MissingPeerConfigs",
            "Referenced CiliumBGPPeerConfig(s) are missing: [a b]",
        ),
        "cilium.io/NoMatchingNode": ("False", "NoMatchingNode", "No node matches spec.nodeSelector"),
    }
