"""The lab in munet 0.17, from a topology in its own form, as FRR's topotests use it.

Runs with the Python of munet's virtual environment; what `Speakers` needs comes from the project's, whose packages are
named in PYTHONPATH after munet's own.
"""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.contenders import lab
from benchmarks.contenders.lab import NODES, ROUTER_ADDRESSES, VIP, Clock, Speakers, enter_world, until

RUN = Path("/run/munet")


def topology() -> dict[str, Any]:
    router = [{"to": name, "name": f"to-{name}", "ip": f"{address}/24"} for name, address in ROUTER_ADDRESSES.items()]
    nodes = [
        {"name": node.name, "connections": [{"to": node.bridge, "name": "eth1", "ip": f"{node.address}/24"}]}
        for node in NODES
    ]
    return {
        "config_pathname": str(RUN / "munet.yaml"),
        "topology": {
            "ipv6-enable": False,
            "networks": [{"name": name} for name in ROUTER_ADDRESSES],
            "nodes": [{"name": "router", "connections": router}, *nodes],
        },
    }


async def build() -> Any:
    from munet.parser import async_build_topology  # type: ignore[import-not-found,unused-ignore]

    RUN.mkdir(parents=True, exist_ok=True)
    net = await async_build_topology(topology(), rundir=str(RUN))
    router = net.hosts["router"]
    commands = [f"sysctl -qw {_assignments(lab.FORWARDING)}", f"ip address add {lab.SERVED} dev lo"]
    router.cmd_raises("; ".join(commands))
    for node in NODES:
        commands = [f"sysctl -qw {_assignments(lab.SYSCTLS)}", f"ip route add {node.beyond} via {node.via}"]
        net.hosts[node.name].cmd_raises("; ".join(commands))
    return net


def _assignments(sysctls: dict[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in sysctls.items())


async def run(clock: Clock) -> None:
    net = await build()
    router = net.hosts["router"]
    clock.stamp("topology")
    Path("/etc/frr/frr.conf").write_text(lab.FRR_CONFIG)
    router.cmd_raises(lab.START_FRR)
    router.cmd_raises(lab.vtysh(*lab.NEIGHBOURS))
    until(lambda: lab.neighbours(router.cmd_nostatus(lab.vtysh(lab.SUMMARY))) == len(NODES), "neighbours in FRR")
    clock.stamp("router")
    sockets = {node.name: Path(f"/run/{node.name}.sock") for node in NODES}
    daemons = [
        net.hosts[name].popen(lab.gobgpd(path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for name, path in sockets.items()
    ]
    speakers = Speakers(sockets)
    clock.stamp("speakers")
    speakers.dial()
    clock.stamp("told")
    until(lambda: lab.established(router.cmd_nostatus(lab.vtysh(lab.SUMMARY))) == len(NODES), "sessions")
    clock.stamp("sessions")
    until(lambda: lab.next_hops(router.cmd_nostatus(f"ip route show {VIP}")) == len(NODES), "route")
    clock.stamp("ecmp")
    speakers.close()
    for daemon in daemons:
        daemon.kill()
        daemon.wait()
    router.cmd_raises(lab.STOP_FRR)
    await net.async_delete()
    clock.stamp("gone")


def main() -> None:
    clock = enter_world()
    logging.disable(logging.CRITICAL)
    asyncio.run(run(clock))
    clock.say()
    os._exit(0)


if __name__ == "__main__":
    main()
