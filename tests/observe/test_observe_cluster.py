"""What Kubernetes and Cilium say in, values out."""

from __future__ import annotations

import base64
import json
from ipaddress import IPv4Address, IPv4Network

import pytest

from bgplab.observe.bgp_node_configs import PeerStatus, parse_node_config
from bgplab.observe.cilium_agents import parse_status
from bgplab.observe.cilium_bgp import AgentPeer, AgentRoute, parse_peers, parse_policies, parse_routes
from bgplab.observe.endpoint_slices import parse_endpoints
from bgplab.observe.flows import Flow, parse_flows
from bgplab.observe.lb_pools import parse_pool
from bgplab.observe.nodes import Nodes, parse_node
from bgplab.observe.pods import Pods, parse_pod, states_of
from bgplab.observe.services import parse_service


def test_an_agents_peer_has_state_timers_and_counts() -> None:
    given = {
        "local-asn": 65001,
        "peer-asn": 65000,
        "peer-address": "192.168.10.200",
        "peer-port": 179,
        "session-state": "established",
        "uptime-nanoseconds": 13000000000,
        "applied-hold-time-seconds": 9,
        "applied-keep-alive-time-seconds": 3,
        "configured-hold-time-seconds": 9,
        "families": [{"afi": "ipv4", "safi": "unicast", "received": 4, "accepted": 1, "advertised": 2}],
    }
    (seen,) = parse_peers(json.dumps([given]))
    assert seen == AgentPeer(65001, 65000, IPv4Address("192.168.10.200"), "established", 9, 3, 4, 1, 2)


@pytest.mark.parametrize("parse", [parse_peers, parse_routes, parse_policies])
def test_an_agent_without_bgp_prints_null(parse: object) -> None:
    assert parse("null\n") == ()  # type: ignore[operator]


def test_a_routes_next_hop_is_read_from_the_wire_form() -> None:
    origin, next_hop = bytes([0x40, 1, 1, 0]), bytes([0x40, 3, 4, 0, 0, 0, 0])
    path = {
        "best": True,
        "path-attributes": [{"base64": base64.b64encode(wire).decode()} for wire in (origin, next_hop)],
    }
    seen = parse_routes(json.dumps([{"router-asn": 65001, "prefix": "172.20.2.0/24", "paths": [path]}]))
    assert seen == (AgentRoute(65001, IPv4Network("172.20.2.0/24"), IPv4Address("0.0.0.0")),)


def test_an_attribute_with_a_long_length_is_read_too() -> None:
    wire = bytes([0x50, 3, 0, 4, 192, 168, 10, 100])
    path = {"path-attributes": [{"base64": base64.b64encode(wire).decode()}]}
    (seen,) = parse_routes(json.dumps([{"prefix": "172.20.2.0/24", "paths": [path]}]))
    assert seen.next_hop == IPv4Address("192.168.10.100")


def test_a_policy_has_the_prefixes_of_all_its_statements() -> None:
    statements = [{"match-prefixes": [{"cidr": "172.16.1.1/32"}]}, {"match-prefixes": [{"cidr": "172.16.1.2/32"}]}]
    given = [
        {"router-asn": 65001, "name": "allow-local", "type": "import", "statements": [{"route-action": "accept"}]},
        {"router-asn": 65001, "name": "x", "type": "export", "statements": statements},
    ]
    assert [[str(p) for p in policy.prefixes] for policy in parse_policies(json.dumps(given))] == [
        [],
        ["172.16.1.1/32", "172.16.1.2/32"],
    ]


def test_an_agents_status_is_its_own_part() -> None:
    assert parse_status('{"cilium": {"state": "Failure", "msg": "no"}, "kvstore": {"state": "Disabled"}}') == (
        "Failure",
        "no",
    )


def test_a_node_is_ready_only_when_its_condition_is_true() -> None:
    item = {
        "metadata": {"name": "k8s-w0", "labels": {"enable-bgp": "true"}},
        "spec": {"podCIDR": "172.20.2.0/24"},
        "status": {
            "addresses": [
                {"type": "Hostname", "address": "k8s-w0"},
                {"type": "InternalIP", "address": "192.168.20.100"},
            ],
            "conditions": [{"type": "Ready", "status": "Unknown"}],
        },
    }
    seen = parse_node(item)
    assert (seen.ready, seen.address) == (False, IPv4Address("192.168.20.100"))
    assert Nodes((seen,)).labelled("enable-bgp") == {"k8s-w0"}


def test_a_pod_that_is_being_deleted_is_none_of_the_app() -> None:
    pod = {"metadata": {"name": "a", "labels": {"app": "webpod"}}, "status": {"phase": "Running"}}
    gone = {**pod, "metadata": {**pod["metadata"], "name": "b", "deletionTimestamp": "2026-11-24T17:00:00Z"}}
    seen = Pods((parse_pod(pod), parse_pod(gone)))
    assert [each.name for each in seen.of_app("webpod")] == ["a"]


def container(name: str, reason: str, message: str = "", **last: object) -> dict[str, object]:
    return {"name": name, "state": {"waiting": {"reason": reason, "message": message}}, "lastState": last}


NO_ROOM = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available"}


@pytest.mark.parametrize(
    ("status", "waits_for"),
    [
        ({"conditions": [NO_ROOM]}, "Unschedulable: 0/3 nodes are available"),
        ({"conditions": [NO_ROOM | {"status": "True"}]}, ""),
        ({"containerStatuses": [container("app", "ErrImagePull", "not found")]}, "ErrImagePull: not found"),
        (
            {"containerStatuses": [container("app", "CreateContainerConfigError", 'secret "key" not found')]},
            'CreateContainerConfigError: secret "key" not found',
        ),
        (
            {"containerStatuses": [container("app", "CrashLoopBackOff", "back-off 10s", terminated={"exitCode": 3})]},
            "CrashLoopBackOff: container app ended with status 3",
        ),
        (
            {
                "containerStatuses": [
                    container("app", "CrashLoopBackOff", terminated={"exitCode": 137, "reason": "OOMKilled"})
                ]
            },
            "CrashLoopBackOff: container app ended with status 137 (OOMKilled)",
        ),
        ({"containerStatuses": [container("app", "ContainerCreating")]}, ""),
        (
            {
                "initContainerStatuses": [container("init", "ImagePullBackOff")],
                "containerStatuses": [container("app", "PodInitializing")],
            },
            "ImagePullBackOff",
        ),
        ({"containerStatuses": [{"name": "app", "state": {"running": {}}}]}, ""),
    ],
)
def test_a_pod_says_what_it_waits_for(status: dict[str, object], waits_for: str) -> None:
    assert parse_pod({"metadata": {"name": "a"}, "status": status}).waits_for == waits_for


def test_pods_in_the_same_state_are_told_in_one_sentence() -> None:
    crashed = {"phase": "Running", "containerStatuses": [container("app", "CrashLoopBackOff")]}
    statuses = {"b": {"phase": "Pending"}, "a": {"phase": "Pending"}, "c": crashed}
    pods = [parse_pod({"metadata": {"name": name}, "status": status}) for name, status in statuses.items()]
    assert states_of(pods) == ["a, b Pending", "c Running, not ready: CrashLoopBackOff"]


def test_a_service_has_its_address_policy_and_condition() -> None:
    item = {
        "metadata": {"name": "webpod", "namespace": "default"},
        "spec": {
            "type": "LoadBalancer",
            "clusterIP": "10.96.1.2",
            "externalTrafficPolicy": "Local",
            "ports": [{"port": 80}],
        },
        "status": {
            "loadBalancer": {"ingress": [{"ip": "172.16.1.1"}]},
            "conditions": [{"type": "cilium.io/IPAMRequestSatisfied", "status": "True", "reason": "satisfied"}],
        },
    }
    seen = parse_service(item)
    assert (seen.vip, seen.external_traffic_policy, seen.satisfied) == (IPv4Address("172.16.1.1"), "Local", "satisfied")


def test_a_fresh_service_has_no_address() -> None:
    seen = parse_service(
        {"metadata": {"name": "webpod"}, "spec": {"clusterIP": "None"}, "status": {"loadBalancer": {}}}
    )
    assert (seen.vip, seen.cluster_ip, seen.type) == (None, None, "ClusterIP")


def test_endpoints_that_are_not_ready_or_terminating_get_nothing() -> None:
    def entry(address: str, **conditions: bool) -> dict[str, object]:
        return {"addresses": [address], "nodeName": "k8s-w1", "conditions": conditions, "targetRef": {"name": address}}

    slices = [
        {"addressType": "IPv4", "endpoints": [entry("172.20.0.1"), entry("172.20.0.2", ready=False)]},
        {"addressType": "IPv4", "endpoints": [entry("172.20.0.3", ready=False, serving=True, terminating=True)]},
        {"addressType": "IPv6", "endpoints": [entry("fd00::1")]},
        {"addressType": "IPv4", "endpoints": None},
    ]
    seen = parse_endpoints(slices)
    assert (len(seen.endpoints), [str(each.address) for each in seen.ready]) == (3, ["172.20.0.1"])


def test_a_pools_counts_are_the_messages_of_conditions() -> None:
    conditions = [
        {"type": "cilium.io/PoolConflict", "status": "False", "reason": "resolved", "message": ""},
        {"type": "cilium.io/IPsTotal", "status": "Unknown", "reason": "noreason", "message": "256"},
        {"type": "cilium.io/IPsAvailable", "status": "Unknown", "reason": "noreason", "message": "253"},
    ]
    item = {
        "metadata": {"name": "cilium-pool"},
        "spec": {"allowFirstLastIPs": "No", "blocks": [{"cidr": "172.16.1.0/24"}]},
        "status": {"conditions": conditions},
    }
    seen = parse_pool(item)
    assert (seen.total, seen.available, seen.used, seen.conflict) == (256, 253, None, None)
    assert (seen.allow_first_last, seen.disabled) == (False, False)


def test_a_conflicting_pool_says_with_what() -> None:
    condition = {"type": "cilium.io/PoolConflict", "status": "True", "message": "overlaps"}
    assert parse_pool({"metadata": {"name": "b"}, "status": {"conditions": [condition]}}).conflict == "overlaps"


def test_a_node_configuration_without_status_has_no_peers_yet() -> None:
    item = {"metadata": {"name": "k8s-w0", "ownerReferences": [{"name": "cilium-bgp"}]}}
    assert (parse_node_config(item).owner, parse_node_config(item).peers) == ("cilium-bgp", ())


def test_a_peer_that_does_not_run_has_no_state() -> None:
    peers = [{"name": "tor-switch", "peerAddress": "192.168.10.200", "peerASN": 65000}]
    item = {"metadata": {"name": "k8s-w0"}, "status": {"bgpInstances": [{"name": "i", "peers": peers}]}}
    assert parse_node_config(item).peers == (PeerStatus("tor-switch", IPv4Address("192.168.10.200"), None),)


def test_flow_records_are_one_object_per_line_and_other_lines_are_passed_over() -> None:
    flow = {
        "verdict": "FORWARDED",
        "l4": {"TCP": {"source_port": 38124, "destination_port": 80, "flags": {"ACK": True, "FIN": True}}},
        "source": {"namespace": "default", "pod_name": "curl-pod"},
        "destination": {"namespace": "default", "pod_name": "webpod-1"},
    }
    lost = {"lost_events": {"source": "HUBBLE_RING_BUFFER", "num_events_lost": "7"}, "node_name": "k8s-ctr"}
    text = "\n".join([json.dumps({"flow": flow, "node_name": "k8s-ctr"}), json.dumps(lost), "EVENTS LOST"])
    seen = parse_flows(text)
    assert seen.flows == (Flow("curl-pod", "webpod-1", "FORWARDED", frozenset({"ACK", "FIN"}), 38124, 80),)
    assert seen.lost == 7
