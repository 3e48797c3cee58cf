"""What exec in a cilium pod prints, against the guide's own outputs and Cilium's (facts/cilium-observed.md 3.2)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from manifests import cilium_node

from bgplab.backends.embedded.agents.bgp.model import (
    IPV4_UNICAST,
    IPV6_UNICAST,
    FamilyCount,
    Policy,
    PrefixMatch,
    Route,
    Session,
    SessionState,
    Statement,
    Timers,
)
from bgplab.backends.embedded.agents.cilium_dbg.arguments import RoutesQuery, UsageError, parse, routes_query
from bgplab.backends.embedded.agents.cilium_dbg.bgp_peers import peers_json, peers_table
from bgplab.backends.embedded.agents.cilium_dbg.bgp_policies import policies_json, policies_table
from bgplab.backends.embedded.agents.cilium_dbg.bgp_routes import Listed, routes_json, routes_table
from bgplab.backends.embedded.agents.cilium_dbg.durations import in_seconds
from bgplab.backends.embedded.agents.cilium_dbg.endpoints import endpoints_json
from bgplab.backends.embedded.agents.cilium_dbg.nodes import KnownNode, known_nodes, nodes_table
from bgplab.backends.embedded.agents.cilium_dbg.wire import attributes_text, next_hop, prefix_text

NOW = datetime(2025, 8, 16, 10, 10, tzinfo=UTC)
UP = Session(
    local_asn=65001,
    peer_asn=65000,
    address="192.168.10.200",
    port=179,
    state=SessionState.ESTABLISHED,
    established_at=NOW - timedelta(seconds=13),
    configured=Timers(120, 9, 3),
    applied_hold_seconds=9,
    applied_keepalive_seconds=3,
    multihop_ttl=2,
    password=False,
    restart_seconds=15,
    families=(FamilyCount(IPV4_UNICAST, 4, 1, 2),),
)
DOWN = Session(
    local_asn=65001,
    peer_asn=65000,
    address="192.168.10.201",
    port=179,
    state=SessionState.ACTIVE,
    established_at=None,
    configured=Timers(),
    applied_hold_seconds=0,
    applied_keepalive_seconds=0,
    multihop_ttl=1,
    password=True,
    restart_seconds=None,
    families=(FamilyCount(IPV4_UNICAST, 0, 0, 0), FamilyCount(IPV6_UNICAST, 0, 0, 0)),
)

ORIGIN, NEXT_HOP = bytes.fromhex("40010100"), bytes.fromhex("400304 00000000")
AS_PATH, REAL_NEXT_HOP = bytes.fromhex("400206 0201 0000fde9"), bytes.fromhex("400304 c0a80a64")
OWN = Route(
    "172.20.0.0/24", IPV4_UNICAST, bytes.fromhex("18ac1400"), (ORIGIN, NEXT_HOP), NOW - timedelta(seconds=67), True
)
SENT = Route(
    "172.20.0.0/24",
    IPV4_UNICAST,
    bytes.fromhex("18ac1400"),
    (ORIGIN, AS_PATH, REAL_NEXT_HOP),
    NOW - timedelta(seconds=67),
    False,
)


def policy(name: str, cidr: str, length: int) -> Policy:
    return Policy(name, (Statement(("192.168.10.200/32",), (PrefixMatch(cidr, length, length),)),))


POLICIES = [
    (65001, Policy("allow-local", (Statement((), ()),), "import")),
    (65001, policy("tor-switch-ipv4-PodCIDR", "172.20.1.0/24", 24)),
    (65001, policy("tor-switch-ipv4-Service-webpod-default-LoadBalancerIP", "172.16.1.1/32", 32)),
]


def lines(text: str) -> list[str]:
    """Without the blanks that Go's tabwriter leaves at line ends."""
    return [line.rstrip() for line in text.splitlines()]


# Tables


def test_peers_are_listed_with_state_uptime_and_counts() -> None:
    assert peers_table([DOWN, UP], NOW) == (
        "Local AS   Peer AS   Peer Address         Session       Uptime   Family         Received   Advertised\n"
        "65001      65000     192.168.10.200:179   established   13s      ipv4/unicast   4          2    \n"
        "65001      65000     192.168.10.201:179   active        0s       ipv4/unicast   0          0    \n"
        "                                                                 ipv6/unicast   0          0    \n"
    )


def test_no_peer_leaves_the_heading_alone() -> None:
    assert peers_table([], NOW) == (
        "Local AS   Peer AS   Peer Address   Session   Uptime   Family   Received   Advertised\n"
    )


def test_available_routes_are_the_guide_s() -> None:
    assert routes_table([Listed(65001, "", OWN)], NOW, with_peer=False) == (
        "VRouter   Prefix          NextHop   Age    Attrs\n"
        "65001     172.20.0.0/24   0.0.0.0   1m7s   [{Origin: i} {Nexthop: 0.0.0.0}]   \n"
    )


def test_advertised_routes_say_to_whom_and_have_the_real_next_hop() -> None:
    assert lines(routes_table([Listed(65001, "192.168.10.200", SENT)], NOW, with_peer=True)) == [
        "VRouter   Peer             Prefix          NextHop          Age    Attrs",
        "65001     192.168.10.200   172.20.0.0/24   192.168.10.100   1m7s"
        "   [{Origin: i} {AsPath: 65001} {Nexthop: 192.168.10.100}]",
    ]


def test_route_policies_are_the_guide_s() -> None:
    head = "VRouter   Policy Name                                             Type     Match Peers         "
    head += "Match Families   Match Prefixes (Min..Max Len)   RIB Action   Path Actions"
    assert policies_table(POLICIES).splitlines() == [
        head,
        "65001     allow-local                                             import                       "
        "                                                 accept       ",
        "65001     tor-switch-ipv4-PodCIDR                                 export   192.168.10.200/32   "
        "                 172.20.1.0/24 (24..24)          accept       ",
        "65001     tor-switch-ipv4-Service-webpod-default-LoadBalancerIP   export   192.168.10.200/32   "
        "                 172.16.1.1/32 (32..32)          accept       ",
    ]


def test_path_actions_and_several_items_are_in_braces() -> None:
    both = (PrefixMatch("172.16.1.1/32", 32, 32), PrefixMatch("172.16.1.2/32", 32, 32))
    rich = Statement(("192.168.10.200/32",), both, "accept", 90, ("65001:200", "65001:300"), ("65001:1:2",))
    text = policies_table([(65001, Policy("x", (rich,)))])
    assert "{172.16.1.1/32 (32..32)} {172.16.1.2/32 (32..32)}" in text
    assert text.rstrip().endswith(
        "{SetLocalPreference: 90} {AddCommunities: [65001:200 65001:300]} {AddLargeCommunities: [65001:1:2]}"
    )


def test_the_node_list_is_the_guide_s() -> None:
    nodes = [
        KnownNode("west", "west-worker", "192.168.97.2", "10.0.1.0/24", "custom-resource"),
        KnownNode("east", "east-worker", "192.168.97.5", "10.1.1.0/24", "clustermesh"),
        KnownNode("east", "east-control-plane", "192.168.97.4", "10.1.0.0/24", "clustermesh"),
        KnownNode("west", "west-control-plane", "192.168.97.3", "10.0.0.0/24", "local"),
    ]
    assert nodes_table(nodes).splitlines() == [
        "Name                      IPv4 Address   Endpoint CIDR   IPv6 Address   Endpoint CIDR   Source",
        "east/east-control-plane   192.168.97.4   10.1.0.0/24                                    clustermesh",
        "east/east-worker          192.168.97.5   10.1.1.0/24                                    clustermesh",
        "west/west-control-plane   192.168.97.3   10.0.0.0/24                                    local",
        "west/west-worker          192.168.97.2   10.0.1.0/24                                    custom-resource",
    ]


def test_the_own_node_is_local() -> None:
    seen = known_nodes([cilium_node("k8s-ctr"), cilium_node("k8s-w1")], "k8s-ctr", "default")
    assert [(node.name, node.address, node.pod_cidr, node.source) for node in seen] == [
        ("k8s-ctr", "192.168.10.100", "172.20.0.0/24", "local"),
        ("k8s-w1", "192.168.10.101", "172.20.1.0/24", "custom-resource"),
    ]


# JSON


def test_a_session_up_is_the_json_that_cilium_s_cli_reads() -> None:
    assert peers_json([UP], NOW) == [
        {
            "applied-hold-time-seconds": 9,
            "applied-keep-alive-time-seconds": 3,
            "configured-hold-time-seconds": 9,
            "configured-keep-alive-time-seconds": 3,
            "connect-retry-time-seconds": 120,
            "ebgp-multihop-ttl": 2,
            "families": [{"accepted": 1, "advertised": 2, "afi": "ipv4", "received": 4, "safi": "unicast"}],
            "graceful-restart": {"enabled": True, "restart-time-seconds": 15},
            "local-asn": 65001,
            "peer-address": "192.168.10.200",
            "peer-asn": 65000,
            "peer-port": 179,
            "session-state": "established",
            "uptime-nanoseconds": 13_000_000_000,
        }
    ]


def test_zeros_are_left_out_of_a_session_that_is_down() -> None:
    (peer,) = peers_json([DOWN], NOW) or [{}]
    assert peer["graceful-restart"] == {}
    assert peer["families"][0] == {"afi": "ipv4", "safi": "unicast"}
    assert peer["tcp-password-enabled"] is True
    assert not {"uptime-nanoseconds", "applied-hold-time-seconds"} & peer.keys()


def test_routes_carry_wire_format_in_base64() -> None:
    assert routes_json([Listed(65001, "", OWN)], NOW) == [
        {
            "paths": [
                {
                    "age-nanoseconds": 67_000_000_000,
                    "best": True,
                    "family": {"afi": "ipv4", "safi": "unicast"},
                    "nlri": {"base64": "GKwUAA=="},
                    "path-attributes": [{"base64": "QAEBAA=="}, {"base64": "QAMEAAAAAA=="}],
                }
            ],
            "prefix": "172.20.0.0/24",
            "router-asn": 65001,
        }
    ]


def test_policies_have_null_lists_and_minus_one_where_nothing_is_set() -> None:
    first = (policies_json(POLICIES[1:2]) or [{}])[0]
    assert first["statements"] == [
        {
            "add-communities": None,
            "add-large-communities": None,
            "match-families": None,
            "match-neighbors": ["192.168.10.200/32"],
            "match-prefixes": [{"cidr": "172.20.1.0/24", "prefix-len-max": 24, "prefix-len-min": 24}],
            "route-action": "accept",
            "set-local-preference": -1,
        }
    ]


def test_nothing_to_list_is_null() -> None:
    assert peers_json([], NOW) is None and routes_json([], NOW) is None and policies_json([]) is None


def test_only_pods_of_the_node_with_an_address_of_their_own_are_endpoints() -> None:
    def pod(name: str, node: str = "k8s-ctr", address: str = "172.20.0.5", **spec: object) -> dict[str, object]:
        metadata = {"name": name, "namespace": "default"}
        return {"metadata": metadata, "spec": {"nodeName": node, **spec}, "status": {"podIP": address}}

    pods = [pod("here"), pod("there", node="k8s-w1"), pod("host", hostNetwork=True), pod("waiting", address="")]
    (endpoint,) = endpoints_json(pods, "k8s-ctr")
    assert endpoint["status"]["external-identifiers"]["pod-name"] == "default/here"
    assert endpoint["status"]["state"] == "ready"


# Wire format


@pytest.mark.parametrize(
    ("attribute", "text"),
    [
        ("40010102", "{Origin: ?}"),
        ("40020e 0203 0000fde9 fffffff0 0000fde8", "{AsPath: 65001 4294967280 65000}"),
        ("40020a 0102 0000fde9 0000fde8", "{AsPath: {65001,65000}}"),
        ("400200", "{AsPath: }"),
        ("800404 0000000a", "{Med: 10}"),
        ("400504 00000064", "{LocalPref: 100}"),
        ("c00808 fde900c8 ffffff01", "{Communities: 65001:200, no-export}"),
        ("c0200c 0000fde9 00000001 00000002", "{LargeCommunity: [ 65001:1:2]}"),
        ("d0080004 fde900c8", "{Communities: 65001:200}"),
        (
            "800e1e 0002 01 10 00000000000000000000000000000000 00 40 fd00002000000000",
            "{MpReach(ipv6-unicast): {Nexthop: ::, NLRIs: [fd00:20::/64]}}",
        ),
    ],
)
def test_an_attribute_reads_as_gobgp_writes_it(attribute: str, text: str) -> None:
    assert attributes_text([bytes.fromhex(attribute)]) == f"[{text}]"


@pytest.mark.parametrize(
    ("nlri", "version", "text"),
    [
        ("20ac100101", 4, "172.16.1.1/32"),
        ("18ac1400", 4, "172.20.0.0/24"),
        ("00", 4, "0.0.0.0/0"),
        ("08fd", 6, "fd00::/8"),
    ],
)
def test_a_prefix_is_a_length_and_as_many_octets_as_it_needs(nlri: str, version: int, text: str) -> None:
    assert prefix_text(bytes.fromhex(nlri), version) == text


def test_the_next_hop_is_unspecified_where_no_attribute_names_one() -> None:
    assert next_hop([ORIGIN]) == "0.0.0.0"
    assert next_hop([ORIGIN, AS_PATH, REAL_NEXT_HOP]) == "192.168.10.100"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0s"), (0.5, "1s"), (38, "38s"), (67, "1m7s"), (120, "2m0s"), (7203, "2h0m3s")]
)
def test_durations_are_go_s(seconds: float, text: str) -> None:
    assert in_seconds(int(seconds * 1_000_000_000)) == text


# Arguments


@pytest.mark.parametrize(
    ("words", "query"),
    [
        ("available ipv4 unicast", RoutesQuery()),
        ("advertised ipv4 unicast", RoutesQuery(advertised=True)),
        ("available ipv6 unicast vrouter 65001", RoutesQuery(family=IPV6_UNICAST, asn=65001)),
        (
            "advertised ipv4 unicast vrouter 65001 peer 192.168.10.200",
            RoutesQuery(advertised=True, asn=65001, peer="192.168.10.200"),
        ),
        ("advertised ipv4 unicast neighbor 192.168.10.200", RoutesQuery(advertised=True, peer="192.168.10.200")),
    ],
)
def test_what_routes_are_asked_for(words: str, query: RoutesQuery) -> None:
    assert routes_query(words.split()) == query


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "(Defaulting to `available ipv4 unicast` routes, please see help for more options)"),
        ("available", "(Defaulting to `ipv4 unicast` AFI & SAFI, please see help for more options)"),
        ("advertised ipv4", "(Defaulting to `unicast` SAFI, please see help for more options)"),
    ],
)
def test_what_is_left_out_is_said_first(words: str, said: str) -> None:
    assert routes_query(words.split()).note == said + "\n\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("learned", "invalid table type discriminator `learned`"),
        ("available ipv5", "unknown AFI ipv5"),
        ("available ipv4 anycast", "unknown SAFI anycast"),
        ("available ipv4 unicast vrouter", "missing vrouter ASN value"),
        ("advertised ipv4 unicast peer tor", "invalid peer IP address"),
    ],
)
def test_a_wrong_question_is_answered_with_what_is_wrong(words: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        routes_query(words.split())


@pytest.mark.parametrize(
    "words", ["bgp peers -o json", "bgp peers -ojson", "bgp -o=json peers", "--output json bgp peers"]
)
def test_flags_may_stand_anywhere(words: str) -> None:
    parsed = parse(words.split())
    assert (parsed.words, parsed.json) == (("bgp", "peers"), True)


def test_another_output_format_is_refused() -> None:
    with pytest.raises(UsageError, match="yaml"):
        parse(["bgp", "peers", "-o", "yaml"])
