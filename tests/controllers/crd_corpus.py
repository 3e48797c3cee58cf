"""Manifests' specs that Cilium's resource types accept, complete or refuse; by kind, for 1.18's `cilium.io/v2`."""

from __future__ import annotations

from typing import Any

Specs = dict[str, dict[str, Any]]


def _instance(**more: Any) -> dict[str, Any]:
    return {"bgpInstances": [{"name": "i", "localASN": 65001, **more}]}


def _peer(**more: Any) -> dict[str, Any]:
    return _instance(peers=[{"name": "p", **more}])


def _advertisement(**more: Any) -> dict[str, Any]:
    return {"advertisements": [{"advertisementType": "PodCIDR", **more}]}


def _communities(**more: Any) -> dict[str, Any]:
    return _advertisement(attributes={"communities": more})


CLUSTER_CONFIGS: Specs = {
    "no instances": {"bgpInstances": []},
    "instances missing": {},
    "instance without name": {"bgpInstances": [{"localASN": 65001}]},
    "empty name": {"bgpInstances": [{"name": ""}]},
    "long name": {"bgpInstances": [{"name": "n" * 256}]},
    "sixteen instances": {"bgpInstances": [{"name": f"i{number}"} for number in range(16)]},
    "seventeen instances": {"bgpInstances": [{"name": f"i{number}"} for number in range(17)]},
    "the same name twice": {"bgpInstances": [{"name": "i"}, {"name": "i"}]},
    "no ASN": {"bgpInstances": [{"name": "i"}]},
    "ASN 0": _instance(localASN=0),
    "largest ASN": _instance(localASN=4294967295),
    "too large ASN": _instance(localASN=4294967296),
    "ASN as text": _instance(localASN="65001"),
    "port 0": _instance(localPort=0),
    "port 179": _instance(localPort=179),
    "port too large": _instance(localPort=65536),
    "peer ASN defaults to 0": _peer(),
    "peer ASN negative": _peer(peerASN=-1),
    "IPv4 peer": _peer(peerAddress="192.168.10.200"),
    "IPv6 peer": _peer(peerAddress="fd00::1"),
    "mapped peer": _peer(peerAddress="::ffff:10.0.0.1"),
    "scoped peer": _peer(peerAddress="fe80::1%eth0"),
    "peer with prefix length": _peer(peerAddress="192.168.10.200/24"),
    "peer octet too large": _peer(peerAddress="192.168.10.256"),
    "peer by name": _peer(peerAddress="router"),
    "two double colons": _peer(peerAddress="fd00::1::2"),
    "reference without name": _peer(peerConfigRef={}),
    "reference": _peer(peerConfigRef={"name": "cilium-peer"}),
    "reference with group is pruned": _peer(peerConfigRef={"name": "x", "group": "cilium.io", "kind": "X"}),
    "auto discovery": _peer(autoDiscovery={"mode": "DefaultGateway", "defaultGateway": {"addressFamily": "ipv4"}}),
    "auto discovery by another mode": _peer(autoDiscovery={"mode": "Guess"}),
    "auto discovery without mode": _peer(autoDiscovery={}),
    "auto discovery of another family": _peer(
        autoDiscovery={"mode": "DefaultGateway", "defaultGateway": {"addressFamily": "ipv5"}}
    ),
    "unknown field is pruned": _instance(color="blue"),
    "empty selector": {**_instance(), "nodeSelector": {}},
    "selector": {**_instance(), "nodeSelector": {"matchLabels": {"enable-bgp": "true"}}},
    "selector with a wrong value": {**_instance(), "nodeSelector": {"matchLabels": {"a": "not/a/value"}}},
    "selector with a long value": {**_instance(), "nodeSelector": {"matchLabels": {"a": "x" * 64}}},
    "selector expression": {
        **_instance(),
        "nodeSelector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]},
    },
    "selector with another operator": {
        **_instance(),
        "nodeSelector": {"matchExpressions": [{"key": "a", "operator": "Like"}]},
    },
    "selector without operator": {**_instance(), "nodeSelector": {"matchExpressions": [{"key": "a"}]}},
}

PEER_CONFIGS: Specs = {
    "empty": {},
    "empty parts are completed": {"timers": {}, "transport": {}, "gracefulRestart": {"enabled": True}},
    "graceful restart without enabled": {"gracefulRestart": {}},
    "restart time 0": {"gracefulRestart": {"enabled": True, "restartTimeSeconds": 0}},
    "restart time too long": {"gracefulRestart": {"enabled": True, "restartTimeSeconds": 4096}},
    "the guide's timers": {"timers": {"holdTimeSeconds": 9, "keepAliveTimeSeconds": 3}},
    "hold time alone is below the keepalive's default": {"timers": {"holdTimeSeconds": 9}},
    "hold time 2": {"timers": {"holdTimeSeconds": 2, "keepAliveTimeSeconds": 1}},
    "hold time too long": {"timers": {"holdTimeSeconds": 65536}},
    "keepalive above hold": {"timers": {"holdTimeSeconds": 9, "keepAliveTimeSeconds": 10}},
    "keepalive equals hold": {"timers": {"holdTimeSeconds": 9, "keepAliveTimeSeconds": 9}},
    "connect retry 0": {"timers": {"connectRetryTimeSeconds": 0}},
    "multihop 255": {"ebgpMultihop": 255},
    "multihop 256": {"ebgpMultihop": 256},
    "multihop 0": {"ebgpMultihop": 0},
    "peer port": {"transport": {"peerPort": 1179}},
    "peer port 0": {"transport": {"peerPort": 0}},
    "local port is pruned": {"transport": {"localPort": 99}},
    "secret": {"authSecretRef": "bgp-auth"},
    "family": {
        "families": [{"afi": "ipv4", "safi": "unicast", "advertisements": {"matchLabels": {"advertise": "bgp"}}}]
    },
    "the same family twice": {"families": [{"afi": "ipv4", "safi": "unicast"}] * 2},
    "family without safi": {"families": [{"afi": "ipv4"}]},
    "another family": {"families": [{"afi": "ipv5", "safi": "unicast"}]},
    "another subsequent family": {"families": [{"afi": "ipv4", "safi": "anycast"}]},
}

ADVERTISEMENTS: Specs = {
    "missing": {},
    "none": {"advertisements": []},
    "pod ranges": _advertisement(),
    "pod ranges with a selector": _advertisement(selector={"matchLabels": {"a": "b"}}),
    "pool": {"advertisements": [{"advertisementType": "CiliumPodIPPool", "selector": {}}]},
    "another type": {"advertisements": [{"advertisementType": "Node"}]},
    "service": {
        "advertisements": [
            {
                "advertisementType": "Service",
                "service": {"addresses": ["LoadBalancerIP"]},
                "selector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["webpod"]}]},
            }
        ]
    },
    "service without service": {"advertisements": [{"advertisementType": "Service"}]},
    "service without addresses": {"advertisements": [{"advertisementType": "Service", "service": {"addresses": []}}]},
    "another address": {"advertisements": [{"advertisementType": "Service", "service": {"addresses": ["NodeIP"]}}]},
    "aggregation 31": {
        "advertisements": [
            {
                "advertisementType": "Service",
                "service": {"addresses": ["ClusterIP"], "aggregationLengthIPv4": 31, "aggregationLengthIPv6": 127},
            }
        ]
    },
    "aggregation 32": {
        "advertisements": [
            {
                "advertisementType": "Service",
                "service": {"addresses": ["ClusterIP"], "aggregationLengthIPv4": 32},
            }
        ]
    },
    "local preference": _advertisement(attributes={"localPreference": 90}),
    "standard communities": _communities(standard=["65001:100", "0:0", "4294967295", "65535:65535"]),
    "standard community too large": _communities(standard=["65536:1"]),
    "standard community with a leading zero": _communities(standard=["065:1"]),
    "standard community of words": _communities(standard=["no-export"]),
    "large community": _communities(large=["65001:1:2", "4294967295:0:4294967295"]),
    "large community too large": _communities(large=["4294967296:1:2"]),
    "large community of two parts": _communities(large=["1:2"]),
    "well-known communities": _communities(wellKnown=["no-export", "blackhole", "internet"]),
    "another well-known community": _communities(wellKnown=["no-import"]),
}

NODE_CONFIGS: Specs = {
    "whole": _instance(
        routerID="1.2.3.4",
        localPort=1179,
        peers=[
            {
                "name": "p",
                "peerAddress": "10.0.0.1",
                "peerASN": 65000,
                "localAddress": "10.0.0.2",
                "peerConfigRef": {"name": "x"},
            }
        ],
    ),
    "router id by name": _instance(routerID="router"),
    "router id of IPv6": _instance(routerID="fd00::1"),
    "no default for the peer's ASN": _peer(),
    "wrong local address": _peer(localAddress="10.0.0.2/24"),
    "no instances": {"bgpInstances": []},
}

OVERRIDES: Specs = {
    "whole": _instance(routerID="1.2.3.4", localPort=1179, peers=[{"name": "p", "localAddress": "10.0.0.1"}]),
    "port 0 is accepted": _instance(localPort=0),
    "peer's port": _peer(localPort=99),
    "ASN 0": _instance(localASN=0),
    "seventeen instances are accepted": {"bgpInstances": [{"name": f"i{number}"} for number in range(17)]},
    "no instances": {"bgpInstances": []},
    "peer without name": _instance(peers=[{"localAddress": "10.0.0.1"}]),
}

POOLS: Specs = {
    "empty": {},
    "the guide's": {"allowFirstLastIPs": "No", "blocks": [{"cidr": "172.16.1.0/24"}]},
    "another word": {"allowFirstLastIPs": "Maybe"},
    "a switch instead of a word": {"allowFirstLastIPs": True},
    "host bits": {"blocks": [{"cidr": "172.16.1.200/28"}]},
    "wrong range": {"blocks": [{"cidr": "172.16.1.0"}]},
    "IPv6 range": {"blocks": [{"cidr": "2001:db8::/64"}]},
    "stop before start is accepted": {"blocks": [{"start": "10.0.0.9", "stop": "10.0.0.1"}]},
    "an empty block is accepted": {"blocks": [{}]},
    "disabled": {"disabled": True},
    "selector": {"serviceSelector": {"matchLabels": {"io.kubernetes.service.namespace": "default"}}},
}

CORPUS: dict[str, Specs] = {
    "CiliumBGPClusterConfig": CLUSTER_CONFIGS,
    "CiliumBGPPeerConfig": PEER_CONFIGS,
    "CiliumBGPAdvertisement": ADVERTISEMENTS,
    "CiliumBGPNodeConfig": NODE_CONFIGS,
    "CiliumBGPNodeConfigOverride": OVERRIDES,
    "CiliumLoadBalancerIPPool": POOLS,
}
