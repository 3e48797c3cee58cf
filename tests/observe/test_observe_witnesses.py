"""What nft, ip and sysctl print of a load test's witnesses, and what is said when they have nothing to print."""

from __future__ import annotations

import json
from collections.abc import Sequence
from ipaddress import IPv4Address
from typing import Any

import pytest

from bgplab.lab.shell import Completed
from bgplab.observe.witnesses import HashKey, between, parse_counter, read_counters, read_hash_key, read_ways

VIP = IPv4Address("172.16.1.1")


def nft(**packets: int) -> str:
    counters = [
        {"counter": {"family": "ip", "name": name, "table": "bgplab", "packets": count, "bytes": 60 * count}}
        for name, count in packets.items()
    ]
    return json.dumps({"nftables": [{"metainfo": {"version": "1.0.6"}}, *counters]})


class Host:
    """Answers each program as it is told: (exit status, standard output)."""

    def __init__(self, name: str = "host", **answers: tuple[int, str]) -> None:
        self.name, self.answers = name, answers
        self.asked: list[tuple[tuple[str, ...], str]] = []

    def run(self, argv: Sequence[str], *, stdin: str = "", **_: Any) -> Completed:
        self.asked.append((tuple(argv), stdin))
        status, out = self.answers.get(argv[-1].rpartition("_")[2] if argv[0] == "sysctl" else argv[0], (127, ""))
        return Completed(tuple(argv), status, out, "", 0.0)


def test_the_counter_of_the_address_is_found_among_others() -> None:
    text = nft(**{"east-west/172.16.1.1/tcp/80": 5, "north-south/172.16.1.1/tcp/80": 2012})
    assert parse_counter(text, "north-south/172.16.1.1/tcp/80") == 2012


def test_a_lab_without_such_counters_counts_nothing() -> None:
    """Real Cilium: there is no table, or not even nft."""
    nodes = {"cilium": Host(nft=(1, "")), "bare": Host(), "other": Host(nft=(0, nft(something=1)))}
    assert read_counters(nodes, VIP, 80) == {"cilium": None, "bare": None, "other": None}  # type: ignore[arg-type]


def test_what_was_counted_in_between_is_the_difference() -> None:
    assert between({"a": 10, "b": None, "c": 1}, {"a": 25, "b": 3, "c": None}) == {"a": 15, "b": None, "c": None}


def test_the_kernel_is_asked_for_all_flows_at_once() -> None:
    answers = "\n".join(json.dumps([{"dst": str(VIP), "gateway": f"192.168.10.10{n}"}]) for n in (0, 1))
    router = Host(ip=(0, answers))
    seen = read_ways(router, [("192.168.10.200", 20000), ("192.168.10.200", 20001)], VIP, 80)  # type: ignore[arg-type]
    assert seen == {
        ("192.168.10.200", 20000): IPv4Address("192.168.10.100"),
        ("192.168.10.200", 20001): IPv4Address("192.168.10.101"),
    }
    ((argv, asked),) = router.asked
    assert argv == ("ip", "-j", "-batch", "-")
    assert asked.splitlines()[1] == "route get 172.16.1.1 from 192.168.10.200 ipproto tcp sport 20001 dport 80"


@pytest.mark.parametrize("answer", [(1, ""), (0, "[]"), (0, json.dumps([{"dst": "172.16.1.1"}]))])
def test_an_ip_that_does_not_answer_for_every_flow_is_no_witness(answer: tuple[int, str]) -> None:
    flows = [("192.168.10.200", 20000), ("192.168.10.200", 20001)]
    assert read_ways(Host(ip=answer), flows, VIP, 80) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answers", "key"),
    [
        ({"seed": (0, "4242\n"), "fields": (0, "55\n")}, HashKey(4242, 55)),
        ({"seed": (0, "0\n"), "fields": (0, "7\n")}, HashKey(0, 7)),
        ({"seed": (255, ""), "fields": (0, "7\n")}, HashKey(None, 7)),
    ],
    ids=["a seed", "a random one", "before Linux 6.11"],
)
def test_the_hash_key_says_whether_there_is_a_seed(answers: dict[str, tuple[int, str]], key: HashKey) -> None:
    assert read_hash_key(Host(**answers)) == key  # type: ignore[arg-type]
