"""The lab in mininet 2.3: hosts and Linux bridges, no controller."""

from __future__ import annotations

import sys
from pathlib import Path
from shlex import join
from typing import Any

from benchmarks.contenders import lab
from benchmarks.contenders.lab import NODES, ROUTER_ADDRESSES, VIP, Speakers, enter_world, until

DEBIAN_PYTHON = "/usr/lib/python3/dist-packages"


def build() -> Any:
    """The network, started. Mininet comes with Debian and is imported from there."""
    sys.path.append(DEBIAN_PYTHON)
    from mininet.link import Link
    from mininet.net import Mininet
    from mininet.nodelib import LinuxBridge

    net = Mininet(controller=None, switch=LinuxBridge, link=Link, waitConnected=False)
    bridges = {name: net.addSwitch(name) for name in ROUTER_ADDRESSES}
    router = net.addHost("router", ip=None)
    hosts = {node.name: net.addHost(node.name, ip=None) for node in NODES}
    for name in ROUTER_ADDRESSES:
        net.addLink(router, bridges[name], intfName1=f"to-{name}")
    for node in NODES:
        net.addLink(hosts[node.name], bridges[node.bridge], intfName1="eth1")
    net.start()
    commands = [f"sysctl -qw {_assignments(lab.FORWARDING)}", f"ip address add {lab.SERVED} dev lo"]
    commands += [f"ip address add {address}/24 dev to-{name}" for name, address in ROUTER_ADDRESSES.items()]
    router.cmd("; ".join(commands))
    for node in NODES:
        commands = [f"sysctl -qw {_assignments(lab.SYSCTLS)}", f"ip address add {node.address}/24 dev eth1"]
        hosts[node.name].cmd("; ".join([*commands, f"ip route add {node.beyond} via {node.via}"]))
    return net


def _assignments(sysctls: dict[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in sysctls.items())


def main() -> None:
    clock = enter_world()
    net = build()
    router = net.get("router")
    clock.stamp("topology")
    Path("/etc/frr/frr.conf").write_text(lab.FRR_CONFIG)
    router.cmd(join(lab.START_FRR))
    router.cmd(join(lab.vtysh(*lab.NEIGHBOURS)))
    until(lambda: lab.neighbours(router.cmd(join(lab.vtysh(lab.SUMMARY)))) == len(NODES), "neighbours in FRR")
    clock.stamp("router")
    sockets = {node.name: Path(f"/run/{node.name}.sock") for node in NODES}
    daemons = [net.get(name).popen(lab.gobgpd(path)) for name, path in sockets.items()]
    speakers = Speakers(sockets)
    clock.stamp("speakers")
    speakers.dial()
    clock.stamp("told")
    until(lambda: lab.established(router.cmd(join(lab.vtysh(lab.SUMMARY)))) == len(NODES), "sessions")
    clock.stamp("sessions")
    until(lambda: lab.next_hops(router.cmd(f"ip route show {VIP}")) == len(NODES), "route")
    clock.stamp("ecmp")
    speakers.close()
    for daemon in daemons:
        daemon.kill()
        daemon.wait()
    router.cmd(join(lab.STOP_FRR))
    net.stop()
    clock.stamp("gone")
    clock.say()


if __name__ == "__main__":
    main()
