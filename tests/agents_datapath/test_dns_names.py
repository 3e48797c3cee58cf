"""Names of a cluster and DNS messages: pure, bytes in and bytes out."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address
from typing import Any

import pytest
from datapath_world import BOTH, CLUSTER_IP, WEB_A, WEB_B, endpoint_slice, service

from bgplab.backends.embedded.agents.dns import pod_resolv_conf
from bgplab.backends.embedded.agents.dns.message import (
    Answer,
    Code,
    MalformedError,
    Query,
    Type,
    a_record,
    build_response,
    encode_name,
    parse_query,
)
from bgplab.backends.embedded.agents.dns.zone import Zone, zone_of


def query_bytes(name: str, kind: int = Type.A, edns: int | None = None, number: int = 7) -> bytes:
    option = b"" if edns is None else b"\0" + struct.pack("!HHIH", Type.OPT, edns, 0, 0)
    head = struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, int(edns is not None))
    return head + encode_name(name) + struct.pack("!HH", kind, 1) + option


def parsed(name: str, kind: int = Type.A, **given: Any) -> Query:
    return parse_query(query_bytes(name, kind, **given))


def addresses(answer: Answer) -> list[str]:
    return [str(IPv4Address(record.data)) for record in answer.records if record.type == Type.A]


@pytest.fixture
def zone() -> Zone:
    named = endpoint_slice(*BOTH, name="headless")
    named["endpoints"][0]["hostname"] = "first"
    services = [
        service(),
        service("headless", clusterIP="None", ports=[{"name": "http", "port": 80, "protocol": "TCP"}]),
        service("elsewhere", type="ExternalName", externalName="Example.COM."),
    ]
    named["ports"] = [{"name": "http", "port": 8080}]
    return zone_of("cluster.local", services, [endpoint_slice(*BOTH), named])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("webpod.default.svc.cluster.local", [CLUSTER_IP]),
        ("WebPod.Default.SVC.cluster.local", [CLUSTER_IP]),
        ("headless.default.svc.cluster.local", [WEB_A, WEB_B]),
        ("first.headless.default.svc.cluster.local", [WEB_A]),
        ("172-20-1-12.headless.default.svc.cluster.local", [WEB_B]),
        ("172-20-0-5.default.pod.cluster.local", ["172.20.0.5"]),
    ],
)
def test_names_have_their_addresses(zone: Zone, name: str, expected: list[str]) -> None:
    answer = zone.answer(parsed(name))
    assert (answer.code, addresses(answer)) == (Code.NOERROR, expected)


@pytest.mark.parametrize(
    "name",
    [
        "nobody.default.svc.cluster.local",
        "webpod.nowhere.svc.cluster.local",
        "webpod.svc.cluster.local",
        "webpod.cluster.local",
        "third.headless.default.svc.cluster.local",
        "a.b.c.d.e.cluster.local",
    ],
)
def test_other_names_of_the_domain_do_not_exist(zone: Zone, name: str) -> None:
    answer = zone.answer(parsed(name))
    assert (answer.code, [record.type for record in answer.authority]) == (Code.NXDOMAIN, [Type.SOA])


def test_a_name_without_ipv6_exists_all_the_same(zone: Zone) -> None:
    answer = zone.answer(parsed("webpod.default.svc.cluster.local", Type.AAAA))
    assert (answer.code, answer.records) == (Code.NOERROR, ())
    assert [record.type for record in answer.authority] == [Type.SOA]


@pytest.mark.parametrize("name", ["example.com", "webpod", "notcluster.local", "11.0.20.172.in-addr.arpa"])
def test_names_of_others_are_refused(zone: Zone, name: str) -> None:
    answer = zone.answer(parsed(name))
    assert (answer.code, answer.authoritative) == (Code.REFUSED, False)


def test_an_external_name_is_an_alias(zone: Zone) -> None:
    (record,) = zone.answer(parsed("elsewhere.default.svc.cluster.local")).records
    assert (record.type, record.data) == (Type.CNAME, encode_name("example.com"))


def test_a_headless_services_port_is_its_endpoints_own(zone: Zone) -> None:
    answer = zone.answer(parsed("_http._tcp.headless.default.svc.cluster.local", Type.SRV))
    assert {struct.unpack("!HHH", record.data[:6])[2] for record in answer.records} == {8080}
    assert len(answer.records) == 2


def test_the_domain_itself_has_an_soa(zone: Zone) -> None:
    assert [record.type for record in zone.answer(parsed("cluster.local", Type.SOA)).records] == [Type.SOA]


def test_a_response_echoes_number_and_question_as_they_came(zone: Zone) -> None:
    asked = query_bytes("WEBPOD.default.svc.cluster.local", number=4711)
    query = parse_query(asked)
    response = build_response(query, zone.answer(query))
    number, flags, questions, answers, authority, extra = struct.unpack_from("!HHHHHH", response)
    assert (number, questions, answers, authority, extra) == (4711, 1, 1, 0, 0)
    assert flags == 0x8000 | 0x0400 | 0x0100
    assert response[12 : len(asked)] == asked[12:]
    assert response[len(asked) :] == b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 30, 4) + IPv4Address(CLUSTER_IP).packed


def test_edns_is_answered_with_edns() -> None:
    query = parsed("x.cluster.local", edns=4096)
    assert (query.edns, query.udp_size) == (True, 1232)
    response = build_response(query, Answer(Code.NXDOMAIN))
    assert struct.unpack_from("!H", response, 10) == (1,) and response[-11:-8] == b"\0\0\x29"


def test_what_is_too_long_for_udp_is_cut_and_says_so() -> None:
    query = parsed("many.cluster.local")
    many = Answer(Code.NOERROR, tuple(a_record(query.name, IPv4Address(number), 30) for number in range(1, 60)))
    cut = build_response(query, many, query.udp_size)
    assert len(cut) <= 512 and struct.unpack_from("!H", cut, 2)[0] & 0x0200
    assert struct.unpack_from("!H", build_response(query, many), 6) == (59,)


@pytest.mark.parametrize(
    ("data", "number"),
    [
        (b"\0\1", None),
        (struct.pack("!HHHHHH", 9, 0x8000, 1, 0, 0, 0) + b"\0\0\1\0\1", None),
        (struct.pack("!HHHHHH", 9, 0, 0, 0, 0, 0), 9),
        (struct.pack("!HHHHHH", 9, 0, 1, 0, 0, 0) + b"\x3fabc", 9),
        (struct.pack("!HHHHHH", 9, 0, 1, 0, 0, 0) + b"\xc0\x0c\0\1\0\1", 9),
    ],
)
def test_what_is_no_query_is_malformed(data: bytes, number: int | None) -> None:
    with pytest.raises(MalformedError) as raised:
        parse_query(data)
    assert raised.value.number == number


def test_resolv_conf_is_as_kubelet_writes_it() -> None:
    assert pod_resolv_conf("default", IPv4Address("10.96.0.10")) == (
        "search default.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n"
    )
