"""From objects to what should run: literals in, values out."""

from __future__ import annotations

import base64
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from typing import Any

import pytest
from manifests import (
    advertisement,
    cilium_node,
    endpoint_slice,
    family,
    instance,
    node_config,
    peer,
    peer_config,
    secret,
    service,
    service_entry,
)

from bgplab.backends.embedded.agents.bgp.desired import Seen, desired_state
from bgplab.backends.embedded.agents.bgp.model import (
    IPV4_UNICAST,
    IPV6_UNICAST,
    Desired,
    Instance,
    Peer,
    Policy,
    PrefixMatch,
    Server,
    Statement,
    Timers,
)

NODE = "k8s-ctr"
VIP_POLICY = "tor-switch-ipv4-Service-webpod-default-LoadBalancerIP"
ROUTER = "192.168.10.200/32"


def guide(**changes: Any) -> Seen:
    """The guide's objects at G11, as one node sees them."""
    seen = Seen(
        node_name=NODE,
        node_config=node_config(NODE),
        node=cilium_node(NODE),
        peer_configs={"cilium-peer": peer_config()},
        advertisements=[advertisement()],
    )
    return replace(seen, **changes)


def with_service(*entries: dict[str, Any], slices: tuple[str, ...] = (), **spec: Any) -> Seen:
    """The guide's objects at G21 and later."""
    adverts = [advertisement(), advertisement(*(entries or [service_entry()]), name="bgp-advertisements-lb")]
    return guide(advertisements=adverts, services=[service(**spec)], endpoint_slices=[endpoint_slice(*slices)])


def desired(seen: Seen) -> Desired:
    wanted = desired_state(seen)
    assert wanted is not None
    return wanted


def only_instance(seen: Seen) -> Instance:
    wanted = desired(seen)
    assert wanted.errors == () and wanted.unable == ()
    (single,) = wanted.instances
    return single


def paths(seen: Seen) -> set[str]:
    return {str(prefix) for prefix in only_instance(seen).paths}


def policies(seen: Seen) -> dict[str, Policy]:
    return {policy.name: policy for policy in only_instance(seen).policies}


def statement(seen: Seen, policy: str = VIP_POLICY) -> Statement:
    (single,) = policies(seen)[policy].statements
    return single


# The guide's state


def test_the_guide_s_objects_make_one_instance_with_its_peer_path_and_policy() -> None:
    assert desired(guide()) == Desired(
        (
            Instance(
                name="instance-65001",
                server=Server(65001, "192.168.10.100", -1),
                paths=frozenset({IPv4Network("172.20.0.0/24")}),
                policies=(
                    Policy(
                        "tor-switch-ipv4-PodCIDR",
                        (Statement((ROUTER,), (PrefixMatch("172.20.0.0/24", 24, 24),)),),
                    ),
                ),
                peers=(
                    Peer(
                        name="tor-switch",
                        address=IPv4Address("192.168.10.200"),
                        asn=65000,
                        multihop_ttl=2,
                        timers=Timers(120, 9, 3),
                        restart_seconds=15,
                        families=(IPV4_UNICAST,),
                    ),
                ),
            ),
        )
    )


def test_nothing_runs_without_a_node_config() -> None:
    assert desired_state(guide(node_config=None)) == Desired()


def test_nothing_is_touched_while_the_cilium_node_is_unknown() -> None:
    assert desired_state(guide(node=None)) is None


def test_an_advertised_service_has_a_path_and_a_policy_of_its_own() -> None:
    seen = with_service()
    assert paths(seen) == {"172.20.0.0/24", "172.16.1.1/32"}
    assert list(policies(seen)) == ["tor-switch-ipv4-PodCIDR", VIP_POLICY]
    assert statement(seen) == Statement((ROUTER,), (PrefixMatch("172.16.1.1/32", 32, 32),))


# The server


@pytest.mark.parametrize(
    ("fields", "annotations", "expected"),
    [
        ({}, {}, Server(65001, "192.168.10.100")),
        ({"routerID": "1.1.1.1"}, {}, Server(65001, "1.1.1.1")),
        ({"localPort": 1790}, {}, Server(65001, "192.168.10.100", 1790)),
        ({}, {"65001": "router-id=2.2.2.2,local-port=179"}, Server(65001, "2.2.2.2", 179)),
        ({"routerID": "1.1.1.1"}, {"65001": "router-id=2.2.2.2"}, Server(65001, "1.1.1.1")),
        ({}, {"65009": "router-id=2.2.2.2"}, Server(65001, "192.168.10.100")),
    ],
)
def test_the_config_goes_before_the_annotation_and_that_before_the_node_s_address(
    fields: dict[str, Any], annotations: dict[str, str], expected: Server
) -> None:
    node = cilium_node(NODE)
    node["metadata"]["annotations"] = {f"cilium.io/bgp-virtual-router.{asn}": text for asn, text in annotations.items()}
    assert only_instance(guide(node=node, node_config=node_config(NODE, instance(**fields)))).server == expected


def test_an_instance_without_a_local_asn_cannot_start_and_says_so_in_the_log_only() -> None:
    config = node_config(NODE, instance(localASN=None))
    assert desired(guide(node_config=config)) == Desired(unable=(("instance-65001", "missing ASN in desired config"),))


def test_the_second_instance_on_one_port_cannot_start() -> None:
    config = node_config(NODE, instance(localPort=179), instance(name="other", localASN=65002, localPort=179))
    wanted = desired(guide(node_config=config))
    assert [each.name for each in wanted.instances] == ["instance-65001"]
    assert wanted.unable == (("other", "port 179 is in use by instance instance-65001"),)


def test_two_instances_that_do_not_listen_both_run() -> None:
    config = node_config(NODE, instance(), instance(name="other", localASN=65002))
    assert [each.server.asn for each in desired(guide(node_config=config)).instances] == [65001, 65002]


# Peers


def the_peer(**spec: Any) -> Peer:
    (single,) = only_instance(guide(peer_configs={"cilium-peer": peer_config(**spec)})).peers or ()
    return single


def test_a_peer_without_a_configuration_has_all_defaults_and_is_told_nothing() -> None:
    config = node_config(NODE, instance(peers=[peer(peerConfigRef=None)]))
    single = only_instance(guide(node_config=config))
    assert single.peers == (Peer("tor-switch", IPv4Address("192.168.10.200"), 65000),)
    assert single.peers[0].families == (IPV4_UNICAST, IPV6_UNICAST)
    assert single.paths == frozenset() and single.policies == ()


def test_a_peer_whose_configuration_is_missing_does_not_run() -> None:
    assert only_instance(guide(peer_configs={})).peers == ()


def test_a_peer_without_an_address_is_passed_over() -> None:
    config = node_config(NODE, instance(peers=[peer(peerAddress=None), peer(name="second")]))
    assert [each.name for each in only_instance(guide(node_config=config)).peers or ()] == ["second"]


def test_graceful_restart_is_off_unless_enabled() -> None:
    assert the_peer(gracefulRestart=None).restart_seconds is None
    assert the_peer(gracefulRestart={"enabled": False, "restartTimeSeconds": 15}).restart_seconds is None
    assert the_peer(gracefulRestart={"enabled": True}).restart_seconds == 120


def test_multihop_is_ignored_inside_one_as() -> None:
    config = node_config(NODE, instance(peers=[peer(peerASN=65001)]))
    (single,) = only_instance(guide(node_config=config)).peers or ()
    assert single.multihop_ttl == 1


def test_port_and_local_address_reach_the_peer() -> None:
    config = node_config(NODE, instance(peers=[peer(localAddress="192.168.10.100")]))
    configs = {"cilium-peer": peer_config(transport={"peerPort": 1790})}
    (single,) = only_instance(guide(node_config=config, peer_configs=configs)).peers or ()
    assert (single.port, str(single.local_address)) == (1790, "192.168.10.100")


def with_secret(**secrets: dict[str, Any]) -> Seen:
    return guide(peer_configs={"cilium-peer": peer_config(authSecretRef="bgp-auth")}, secrets=secrets)


def test_the_password_comes_from_the_secret() -> None:
    key = base64.b64encode(b"s3cret").decode()
    (single,) = only_instance(with_secret(**{"bgp-auth": secret("bgp-auth", password=key)})).peers or ()
    assert single.password == "s3cret"
    assert "s3cret" not in repr(single)


def test_a_missing_secret_means_no_password() -> None:
    (single,) = only_instance(with_secret()).peers or ()
    assert single.password == ""


def test_a_secret_without_the_key_is_an_error_that_leaves_running_peers_alone() -> None:
    wanted = desired(with_secret(**{"bgp-auth": secret("bgp-auth", word="eA==")}))
    assert wanted.errors == (("instance-65001", 'failed to fetch secret "bgp-auth": missing password key'),)
    assert wanted.instances[0].peers is None
    assert wanted.instances[0].paths == {IPv4Network("172.20.0.0/24")}


def test_auto_discovery_is_refused_by_name() -> None:
    discovering = peer(peerAddress=None, autoDiscovery={"mode": "DefaultGateway"})
    wanted = desired(guide(node_config=node_config(NODE, instance(peers=[discovering]))))
    assert wanted.errors == (("instance-65001", "peer tor-switch: autoDiscovery is not supported by the embedded lab"),)


# Which advertisements, which Services


def test_advertisements_without_the_label_are_not_taken() -> None:
    other = advertisement()
    other["metadata"]["labels"] = {"advertise": "nothing"}
    assert paths(guide(advertisements=[other])) == set()


def test_a_family_without_a_selector_advertises_nothing() -> None:
    configs = {"cilium-peer": peer_config(families=[{"afi": "ipv4", "safi": "unicast"}])}
    assert paths(guide(peer_configs=configs)) == set()


def test_an_empty_family_selector_takes_every_advertisement() -> None:
    configs = {"cilium-peer": peer_config(families=[{"afi": "ipv4", "safi": "unicast", "advertisements": {}}])}
    assert paths(guide(peer_configs=configs)) == {"172.20.0.0/24"}


@pytest.mark.parametrize(
    ("selector", "taken"),
    [
        (None, False),
        ({}, True),
        ({"matchLabels": {"app": "webpod"}}, True),
        ({"matchLabels": {"app": "other"}}, False),
        ({"matchLabels": {"io.kubernetes.service.name": "webpod"}}, True),
        ({"matchLabels": {"io.kubernetes.service.namespace": "kube-system"}}, False),
        ({"matchExpressions": [{"key": "somekey", "operator": "NotIn", "values": ["never-used-value"]}]}, True),
    ],
)
def test_a_service_entry_takes_what_its_selector_matches(selector: dict[str, Any] | None, taken: bool) -> None:
    assert ("172.16.1.1/32" in paths(with_service(service_entry(selector=selector)))) is taken


@pytest.mark.parametrize(
    ("spec", "taken"),
    [
        ({"type": "ClusterIP"}, False),
        ({"ingress": None}, False),
        ({"loadBalancerClass": "io.cilium/bgp-control-plane"}, True),
        ({"loadBalancerClass": "io.cilium/l2-announcer"}, False),
    ],
)
def test_a_load_balancer_address_needs_the_type_an_address_and_a_class_of_ours(
    spec: dict[str, Any], taken: bool
) -> None:
    assert ("172.16.1.1/32" in paths(with_service(**spec))) is taken


def test_each_kind_of_address_has_its_own_policy() -> None:
    seen = with_service(
        service_entry("LoadBalancerIP", "ExternalIP", "ClusterIP"), externalIPs=["203.0.113.7"], type="LoadBalancer"
    )
    assert paths(seen) == {"172.20.0.0/24", "172.16.1.1/32", "203.0.113.7/32", "10.96.10.20/32"}
    start = "tor-switch-ipv4-Service-webpod-default-"
    assert {f"{start}LoadBalancerIP", f"{start}ExternalIP", f"{start}ClusterIP"} < set(policies(seen))


def test_a_headless_service_has_no_cluster_address() -> None:
    assert paths(with_service(service_entry("ClusterIP"), clusterIP="None", clusterIPs=["None"])) == {"172.20.0.0/24"}


def test_an_unknown_kind_of_advertisement_is_an_error_by_name() -> None:
    wanted = desired(guide(advertisements=[advertisement({"advertisementType": "CiliumPodIPPool"})]))
    assert wanted.errors == (
        ("instance-65001", "advertisement type CiliumPodIPPool is not supported by the embedded lab"),
    )


# Policy Local


@pytest.mark.parametrize("nodes", [(), ("k8s-w1",)])
def test_with_policy_local_a_node_without_an_endpoint_withdraws(nodes: tuple[str, ...]) -> None:
    seen = with_service(slices=nodes, externalTrafficPolicy="Local")
    assert paths(seen) == {"172.20.0.0/24"}
    assert VIP_POLICY not in policies(seen)


def test_with_policy_local_a_node_with_an_endpoint_announces() -> None:
    assert "172.16.1.1/32" in paths(with_service(slices=("k8s-w1", NODE), externalTrafficPolicy="Local"))


@pytest.mark.parametrize(
    ("conditions", "announced"),
    [
        ({}, True),
        ({"ready": True}, True),
        ({"ready": False}, False),
        ({"ready": False, "serving": True, "terminating": True}, False),
        ({"ready": True, "serving": True, "terminating": True}, False),
    ],
)
def test_only_a_ready_endpoint_counts(conditions: dict[str, bool], announced: bool) -> None:
    slice_ = endpoint_slice(NODE)
    slice_["endpoints"][0]["conditions"] = conditions
    seen = replace(with_service(externalTrafficPolicy="Local"), endpoint_slices=[slice_])
    assert ("172.16.1.1/32" in paths(seen)) is announced


def test_with_policy_cluster_endpoints_do_not_matter() -> None:
    assert "172.16.1.1/32" in paths(with_service(slices=()))


def test_the_internal_policy_rules_cluster_addresses_only() -> None:
    seen = with_service(service_entry("LoadBalancerIP", "ClusterIP"), internalTrafficPolicy="Local")
    assert paths(seen) == {"172.20.0.0/24", "172.16.1.1/32"}


def test_addresses_are_aggregated_unless_the_policy_is_local() -> None:
    entry = service_entry("LoadBalancerIP", service={"aggregationLengthIPv4": 24})
    seen = with_service(entry, slices=(NODE,))
    assert paths(seen) == {"172.20.0.0/24", "172.16.1.0/24"}
    assert statement(seen).prefixes == (PrefixMatch("172.16.1.0/24", 24, 24),)
    assert "172.16.1.1/32" in paths(with_service(entry, slices=(NODE,), externalTrafficPolicy="Local"))


# Families, attributes, overlaps


def test_a_family_carries_its_own_prefixes_only() -> None:
    node = cilium_node(NODE)
    node["spec"]["ipam"]["podCIDRs"] = ["172.20.0.0/24", "fd00:20::/64"]
    configs = {"cilium-peer": peer_config(families=[family("ipv4"), family("ipv6")])}
    single = only_instance(guide(node=node, peer_configs=configs))
    assert single.paths == {IPv4Network("172.20.0.0/24"), IPv6Network("fd00:20::/64")}
    assert [policy.name for policy in single.policies] == ["tor-switch-ipv4-PodCIDR", "tor-switch-ipv6-PodCIDR"]
    assert single.policies[1].statements[0].prefixes == (PrefixMatch("fd00:20::/64", 64, 64),)


def test_attributes_of_the_entry_become_the_policy_s_actions() -> None:
    attributes = {
        "localPreference": 90,
        "communities": {"standard": ["65001:200"], "wellKnown": ["no-export"], "large": ["65001:1:2"]},
    }
    seen = with_service(service_entry(attributes=attributes))
    assert statement(seen) == Statement(
        (ROUTER,),
        (PrefixMatch("172.16.1.1/32", 32, 32),),
        local_preference=90,
        communities=("65001:200", "no-export"),
        large_communities=("65001:1:2",),
    )


def test_one_community_written_in_three_ways_is_kept_once() -> None:
    communities = {"standard": ["65535:65281", "4294967041"], "wellKnown": ["no-export"]}
    seen = with_service(service_entry(attributes={"communities": communities}))
    assert statement(seen).communities == ("65535:65281",)


def test_overlapping_entries_unite_communities_and_the_highest_preference_wins() -> None:
    seen = with_service(
        service_entry(attributes={"localPreference": 90, "communities": {"standard": ["65001:300"]}}),
        service_entry(attributes={"localPreference": 100, "communities": {"standard": ["65001:200"]}}),
        service_entry(),
    )
    assert statement(seen).local_preference == 100
    assert statement(seen).communities == ("65001:200", "65001:300")


def test_each_peer_has_policies_but_paths_are_shared() -> None:
    config = node_config(NODE, instance(peers=[peer(), peer(name="second", peerAddress="192.168.10.201")]))
    single = only_instance(guide(node_config=config))
    assert single.paths == {IPv4Network("172.20.0.0/24")}
    assert [(policy.name, policy.statements[0].neighbors) for policy in single.policies] == [
        ("second-ipv4-PodCIDR", ("192.168.10.201/32",)),
        ("tor-switch-ipv4-PodCIDR", (ROUTER,)),
    ]
