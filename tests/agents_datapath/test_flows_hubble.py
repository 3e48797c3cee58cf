"""`hubble observe`: packets as the kernel logs them, in; Hubble's lines, out."""

from __future__ import annotations

import json
import struct
from ipaddress import IPv4Address
from typing import Any

import pytest
from datapath_world import CLIENT, NODE_A, NODE_B, ROUTER, WEB_A, WEB_B

from bgplab.backends.embedded.agents.flows import hubble
from bgplab.backends.embedded.agents.flows.flow import Flow, Seen, flow_of
from bgplab.backends.embedded.agents.flows.packet import FLAGS, parse_segment
from bgplab.backends.embedded.agents.flows.parties import Book, book_of
from bgplab.lab.cluster import Manifest

MOMENT = 1755356453.736  # 2025-08-16T15:00:53.736Z


def pod(name: str, address: str, node: str, **labels: str) -> Manifest:
    owner = {"kind": "ReplicaSet", "name": "webpod-65794679cc"}
    metadata: Manifest = {"namespace": "default", "name": name, "labels": labels}
    if "pod-template-hash" in labels:
        metadata["ownerReferences"] = [owner]
    return {"metadata": metadata, "spec": {"nodeName": node}, "status": {"podIP": address, "phase": "Running"}}


def node(name: str, address: str) -> Manifest:
    return {"metadata": {"name": name}, "status": {"addresses": [{"type": "InternalIP", "address": address}]}}


PODS = [
    pod("curl-pod", CLIENT, "a"),
    pod("webpod-a", WEB_A, "a", app="webpod", **{"pod-template-hash": "65794679cc"}),
    pod("webpod-b", WEB_B, "b", app="webpod", **{"pod-template-hash": "65794679cc"}),
]


@pytest.fixture
def book() -> Book:
    return book_of(PODS, [node("a", NODE_A), node("b", NODE_B)], "default")


def packet(source: str, destination: str, ports: tuple[int, int], *flags: str) -> bytes:
    bits = sum(bit for name, bit in FLAGS if name in flags)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 40, 0, 0, 64, 6, 0)
    head += IPv4Address(source).packed + IPv4Address(destination).packed
    return head + struct.pack("!HHIIBBHHH", *ports, 0, 0, 0x50, bits, 0, 0, 0)


def flow(book: Book, source: str, destination: str, *flags: str, reply: bool = False, on: str = "a") -> Flow:
    ports = (80, 38124) if reply else (38124, 80)
    made = flow_of(Seen(MOMENT, reply, packet(source, destination, ports, *flags), book), on)
    assert made is not None
    return made


def observe(flows: list[Flow], *arguments: str) -> list[str]:
    request = hubble.parse_observe(arguments)
    return hubble.render(hubble.selected(flows, request, MOMENT + 1), request.output).splitlines()


def identity(book: Book, address: str) -> int:
    return book[IPv4Address(address)].identity


def test_a_request_is_a_line_as_in_the_guide(book: Book) -> None:
    numbers = identity(book, CLIENT), identity(book, WEB_A)
    assert observe([flow(book, CLIENT, WEB_A, "FIN", "ACK")]) == [
        f"Aug 16 15:00:53.736: default/curl-pod:38124 (ID:{numbers[0]}) -> default/webpod-a:80 (ID:{numbers[1]})"
        " to-endpoint FORWARDED (TCP Flags: ACK, FIN)"
    ]


def test_a_reply_keeps_the_client_on_the_left(book: Book) -> None:
    (line,) = observe([flow(book, WEB_B, CLIENT, "SYN", "ACK", reply=True)])
    assert " default/curl-pod:38124 (ID:" in line and " <- default/webpod-b:80 (ID:" in line
    assert line.endswith("to-endpoint FORWARDED (TCP Flags: SYN, ACK)")


@pytest.mark.parametrize(
    ("ends", "on", "said"),
    [
        ((CLIENT, WEB_B), "a", "to-network"),
        ((CLIENT, WEB_B), "b", "to-endpoint"),
        ((ROUTER, WEB_A), "a", f"{ROUTER}:38124 (world) -> default/webpod-a"),
        ((NODE_A, WEB_A), "a", f"{NODE_A}:38124 (host) -> default/webpod-a"),
        ((NODE_B, WEB_A), "a", f"{NODE_B}:38124 (remote-node) -> default/webpod-a"),
        ((WEB_A, NODE_A), "a", "to-stack"),
    ],
)
def test_ends_and_places_are_named_as_cilium_names_them(book: Book, ends: Any, on: str, said: str) -> None:
    (line,) = observe([flow(book, *ends, "SYN", on=on)])
    assert said in line


def test_json_is_one_object_per_line_with_hubbles_fields(book: Book) -> None:
    (line,) = observe([flow(book, CLIENT, WEB_A, "SYN")], "-o", "json", "--protocol", "tcp", "--pod", "curl-pod")
    told = json.loads(line)
    seen = told["flow"]
    assert (told["node_name"], told["time"]) == ("a", "2025-08-16T15:00:53.736000000Z")
    assert (seen["verdict"], seen["is_reply"], seen["Type"]) == ("FORWARDED", False, "L3_L4")
    assert seen["IP"] == {"source": CLIENT, "destination": WEB_A, "ipVersion": "IPv4"}
    assert seen["l4"] == {"TCP": {"source_port": 38124, "destination_port": 80, "flags": {"SYN": True}}}
    assert (seen["source"]["namespace"], seen["source"]["pod_name"]) == ("default", "curl-pod")
    assert seen["destination"]["workloads"] == [{"name": "webpod", "kind": "Deployment"}]
    assert "k8s:app=webpod" in seen["destination"]["labels"]
    assert (seen["traffic_direction"], seen["trace_observation_point"]) == ("INGRESS", "TO_ENDPOINT")


def test_pods_with_the_same_labels_have_one_identity(book: Book) -> None:
    assert identity(book, WEB_A) == identity(book, WEB_B) != identity(book, CLIENT)


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        ([], 3),
        (["--pod", "curl-pod"], 2),
        (["--pod", "default/webpod"], 3),
        (["--pod", "kube-system/webpod"], 0),
        (["--pod", "webpod-b", "--pod", "curl-pod"], 2),
        (["--from-pod", "default/curl-pod"], 1),
        (["--to-pod", "curl-pod"], 1),
        (["--protocol", "udp"], 0),
        (["--verdict", "DROPPED"], 0),
        (["--last", "1"], 1),
        (["--from-ip", f"{ROUTER}/32"], 1),
        (["--to-port", "80"], 2),
        (["--since", "30s"], 3),
        (["--since", "500ms"], 0),
    ],
)
def test_filters_choose_flows(book: Book, arguments: list[str], count: int) -> None:
    flows = [
        flow(book, CLIENT, WEB_A, "SYN"),
        flow(book, WEB_A, CLIENT, "SYN", "ACK", reply=True),
        flow(book, ROUTER, WEB_A, "SYN"),
    ]
    assert len(observe(flows, *arguments)) == count


@pytest.mark.parametrize("arguments", [["-f"], ["--nonsense"], ["-o", "dict"], ["--last", "x"], ["--since", "soon"]])
def test_what_is_not_provided_is_refused(arguments: list[str]) -> None:
    with pytest.raises(hubble.UsageError):
        hubble.parse_observe(arguments)


@pytest.mark.parametrize("data", [b"", b"\x45" * 10, b"\x60" + bytes(60), packet(CLIENT, WEB_A, (1, 2))[:30]])
def test_what_is_no_tcp_segment_is_none(data: bytes) -> None:
    assert parse_segment(data) is None
