"""Who else saw a load test: the nodes' own counters, and the router's kernel asked flow by flow."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from bgplab.lab.shell import Shell
from bgplab.observe.foreign import parse_json
from bgplab.observe.side_by_side import by_name
from bgplab.observe.sysctl import HASH_FIELDS

COUNTERS = ["nft", "-j", "list", "counters", "table", "ip", "bgplab"]
HASH_SEED = "net.ipv4.fib_multipath_hash_seed"

Flow = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Corroboration:
    """What others saw of one load test.

    counted: new connections to the VIP by node; None where the node has no such counter (a lab with real Cilium has
    none). ways: what `ip route get` says of (source address, source port), with ports of our own.
    unheard: sentences, what could not be asked and why.
    """

    counted: Mapping[str, int | None] = field(default_factory=dict)
    ways: Mapping[Flow, IPv4Address] = field(default_factory=dict)
    unheard: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HashKey:
    """What makes a router's hash repeatable. seed: 0 is a random one; None: the kernel has no such setting (< 6.11)."""

    seed: int | None
    fields: int


def read_counters(nodes: Mapping[str, Shell], vip: IPv4Address, port: int) -> dict[str, int | None]:
    """New connections to the VIP so far, by node; None where nobody counts."""
    name = f"north-south/{vip}/tcp/{port}"

    def read(node: Shell) -> int | None:
        done = node.run(COUNTERS, check=False)
        return parse_counter(done.stdout, name) if done.exit_status == 0 else None

    return by_name(read, nodes)


def parse_counter(text: str, name: str) -> int | None:
    """The packets of one counter of `nft -j list counters`: in a nat chain the first of each connection."""
    entries = parse_json(text, "nft -j list counters")["nftables"]
    counters = [entry["counter"] for entry in entries if "counter" in entry]
    return next((int(counter["packets"]) for counter in counters if counter["name"] == name), None)


def between(before: Mapping[str, int | None], after: Mapping[str, int | None]) -> dict[str, int | None]:
    """What was counted in between; None where one of the two is missing."""

    def less(node: str) -> int | None:
        earlier, later = before.get(node), after[node]
        return None if earlier is None or later is None else later - earlier

    return {node: less(node) for node in after}


def read_ways(router: Shell, flows: Iterable[Flow], vip: IPv4Address, port: int) -> dict[Flow, IPv4Address] | None:
    """The next hop of each flow by the router's own kernel; None when its `ip` does not answer that."""
    asked = list(flows)
    lines = [f"route get {vip} from {source} ipproto tcp sport {sport} dport {port}" for source, sport in asked]
    done = router.run(["ip", "-j", "-batch", "-"], stdin="\n".join(lines) + "\n", check=False)
    answers = parse_ways(done.stdout) if done.exit_status == 0 else []
    if len(answers) != len(asked):
        return None
    return {flow: via for flow, via in zip(asked, answers, strict=True) if via is not None}


def parse_ways(text: str) -> list[IPv4Address | None]:
    """`ip -j -batch` prints a JSON list per line that was asked, with white space in between or none."""
    decoder, rest, found = json.JSONDecoder(), text.strip(), []
    while rest:
        answer, end = decoder.raw_decode(rest)
        gateway = answer[0].get("gateway") if answer else None
        found.append(IPv4Address(gateway) if gateway else None)
        rest = rest[end:].lstrip()
    return found


def read_hash_key(router: Shell) -> HashKey:
    seed = router.run(["sysctl", "-n", HASH_SEED], check=False)
    fields = router.run(["sysctl", "-n", HASH_FIELDS], check=False)
    return HashKey(
        int(seed.stdout) if seed.exit_status == 0 and seed.stdout.strip() else None,
        int(fields.stdout) if fields.exit_status == 0 and fields.stdout.strip() else 7,
    )
