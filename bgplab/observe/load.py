"""Load on the VIP from every router with the prober: how many were asked, and every record of what came back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from bgplab.lab.shell import Shell
from bgplab.traffic.probe import probe
from bgplab.traffic.records import Plan, Probe


@dataclass(frozen=True)
class Load:
    """From one router. small: the guide's own number of requests, shown beside. large: the one that is judged."""

    small: Probe
    large: Probe


@dataclass(frozen=True)
class LoadRuns:
    vip: IPv4Address
    by_router: Mapping[str, Load]


def run_load(
    routers: Mapping[str, Shell], vip: IPv4Address, port: int, *, small: int, large: int, concurrency: int
) -> LoadRuns:
    """Both runs on each router, the routers one after another so that they do not take time from each other."""
    url = f"http://{vip}/" if port == 80 else f"http://{vip}:{port}/"

    def from_one(router: Shell) -> Load:
        few = probe(router, Plan(url, requests=small, concurrency=1))
        return Load(few, probe(router, Plan(url, requests=large, concurrency=concurrency)))

    return LoadRuns(vip, {name: from_one(router) for name, router in routers.items()})
