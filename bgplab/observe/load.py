"""Load on the VIP from every router with the prober: how many were asked, every record of what came back, and what
others saw of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from bgplab.lab.shell import Shell
from bgplab.observe.witnesses import Corroboration, HashKey, between, read_counters, read_hash_key, read_ways
from bgplab.traffic.probe import probe
from bgplab.traffic.records import Plan, Probe

#: Connections with source ports of our own, each used once; below those that the kernel chooses. For a port that it
#: chooses itself the kernel (seen with 6.18) routes before it has one, by a random number: nobody can foretell that.
FIXED = 500

#: Source ports of the judged connections, each used once: so each is a draw of its own. Connections whose port the
#: kernel chooses are not quite: it hashes a random number of 16 bits in the port's place, and how the 65,536 fall on
#: the next hops is one draw for all of them (w = sqrt((k - 1) / 65536): 0.04 with a hundred next hops, seen).
LOAD_PORTS = (5001, 65535)
MOST_FLOWS = LOAD_PORTS[1] - LOAD_PORTS[0] + 1
FEW_AT_ONCE = 10  # a node that swallows connections would cost two seconds for each, one after the other
FIXED_PORTS = (20000, 20000 + FIXED - 1)


@dataclass(frozen=True)
class Load:
    """From one router.

    small: the guide's own number of requests, shown beside. large: the one that is judged. seen: by others; None:
    nobody was asked. fixed: with source ports of our own, which the kernel is asked about. hash_key: None when not
    looked at. again: as fixed once more, where the router's hash has a seed.
    """

    small: Probe
    large: Probe
    seen: Corroboration | None = None
    hash_key: HashKey | None = None
    fixed: Probe | None = None
    again: Probe | None = None


@dataclass(frozen=True)
class LoadRuns:
    vip: IPv4Address
    by_router: Mapping[str, Load]
    port: int = 80


def run_load(
    routers: Mapping[str, Shell],
    vip: IPv4Address,
    port: int,
    *,
    small: int,
    large: int,
    concurrency: int,
    nodes: Mapping[str, Shell] | None = None,
) -> LoadRuns:
    """Both runs on each router, the routers one after another so that they do not take time from each other.

    nodes: who counts connections on their own; without them there are no such witnesses.
    """
    url = f"http://{vip}/" if port == 80 else f"http://{vip}:{port}/"
    ports = "{}-{}".format(*FIXED_PORTS)
    plan = Plan(url, requests=FIXED, concurrency=concurrency, source_ports=ports)

    def from_one(router: Shell) -> Load:
        few = probe(router, Plan(url, requests=small, concurrency=FEW_AT_ONCE))
        at_once = concurrency * (8 if any(error.startswith("timeout") for error in few.errors) else 1)
        before = read_counters(nodes or {}, vip, port)
        many = probe(
            router, Plan(url, requests=large, concurrency=at_once, source_ports="free:{}-{}".format(*LOAD_PORTS))
        )
        counted = between(before, read_counters(nodes or {}, vip, port))
        if not nodes or many.method == "curl":  # a curl loop chooses no ports
            return Load(few, many)
        fixed = probe(router, plan)
        key = read_hash_key(router)
        again = probe(router, plan) if key.seed else None
        return Load(few, many, _corroboration(router, fixed, counted, vip, port), key, fixed, again)

    return LoadRuns(vip, {name: from_one(router) for name, router in routers.items()}, port)


def _corroboration(
    router: Shell, fixed: Probe, counted: Mapping[str, int | None], vip: IPv4Address, port: int
) -> Corroboration:
    unheard = [f"{node} does not count connections to {vip}" for node, count in counted.items() if count is None]
    flows = zip(fixed.columns["source_address"], fixed.columns["source_port"], strict=True)
    known = [(str(address), int(number)) for address, number in flows if address and number]
    ways = read_ways(router, known, vip, port) if known else {}
    if ways is None:
        unheard.append(f"{router.name}: `ip route get` does not say the way of a connection")
    return Corroboration(counted, ways or {}, tuple(unheard))
