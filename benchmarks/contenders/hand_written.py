"""The lab as somebody would script it: `ip netns`, FRR's init script, gobgpd, and a few gRPC calls."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from benchmarks.contenders import lab
from benchmarks.contenders.lab import NODES, ROUTER_ADDRESSES, VIP, Speakers, enter_world, until

HOSTS = ("router", *(node.name for node in NODES))


def run(*argv: str, stdin: str | None = None) -> str:
    return subprocess.run(argv, input=stdin, text=True, capture_output=True, check=True).stdout


def on(host: str, *argv: str, stdin: str | None = None) -> str:
    return run("ip", "netns", "exec", host, *argv, stdin=stdin)


def build() -> None:
    batch = [f"netns add {host}" for host in HOSTS]
    for bridge in ROUTER_ADDRESSES:
        batch += [f"link add {bridge} type bridge forward_delay 0", f"link set {bridge} up"]
        batch += _link(f"r-{bridge}", bridge, "router", f"to-{bridge}")
    for node in NODES:
        batch += _link(f"n-{node.name}", node.bridge, node.name, "eth1")
    run("ip", "-batch", "-", stdin="\n".join(batch))
    addresses = [f"address add {address}/24 dev to-{bridge}" for bridge, address in ROUTER_ADDRESSES.items()]
    links = ["link set lo up", *(f"link set to-{bridge} up" for bridge in ROUTER_ADDRESSES)]
    _configure("router", [*links, *addresses, f"address add {lab.SERVED} dev lo"], lab.FORWARDING)
    for node in NODES:
        lines = ["link set lo up", "link set eth1 up", f"address add {node.address}/24 dev eth1"]
        _configure(node.name, [*lines, f"route add {node.beyond} via {node.via}"], lab.SYSCTLS)


def _link(outer: str, bridge: str, host: str, inner: str) -> list[str]:
    return [
        f"link add {outer} type veth peer name {inner} netns {host}",
        f"link set {outer} master {bridge} up",
    ]


def _configure(host: str, lines: list[str], sysctls: dict[str, str]) -> None:
    run("ip", "-n", host, "-batch", "-", stdin="\n".join(lines))
    on(host, "sysctl", "-qw", *(f"{name}={value}" for name, value in sysctls.items()))


def start_frr() -> None:
    Path("/etc/frr/frr.conf").write_text(lab.FRR_CONFIG)
    on("router", *lab.START_FRR)
    on("router", *lab.vtysh(*lab.NEIGHBOURS))
    until(lambda: lab.neighbours(on("router", *lab.vtysh(lab.SUMMARY))) == len(NODES), "neighbours in FRR")


def main() -> None:
    clock = enter_world()
    build()
    clock.stamp("topology")
    start_frr()
    clock.stamp("router")
    sockets = {node.name: Path(f"/run/{node.name}.sock") for node in NODES}
    daemons = [
        subprocess.Popen(
            ["ip", "netns", "exec", name, *lab.gobgpd(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for name, path in sockets.items()
    ]
    speakers = Speakers(sockets)
    clock.stamp("speakers")
    speakers.dial()
    clock.stamp("told")
    until(lambda: lab.established(on("router", *lab.vtysh(lab.SUMMARY))) == len(NODES), "sessions")
    clock.stamp("sessions")
    until(lambda: lab.next_hops(run("ip", "-n", "router", "route", "show", VIP)) == len(NODES), "route")
    clock.stamp("ecmp")
    speakers.close()
    for daemon in daemons:
        daemon.kill()
        daemon.wait()
    on("router", *lab.STOP_FRR)
    run("ip", "-batch", "-", stdin="\n".join([*(f"netns delete {host}" for host in HOSTS),
                                              *(f"link delete {bridge}" for bridge in ROUTER_ADDRESSES)]))  # fmt: skip
    until(lambda: not any(name in run("ip", "link") for name in ("br0", "n-ctr", "r-br")), "interfaces gone")
    clock.stamp("gone")
    time.sleep(0)
    clock.say()


if __name__ == "__main__":
    main()
