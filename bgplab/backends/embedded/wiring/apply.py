"""Make a wiring real: bridges and veth pairs in the lab's own namespace, the rest by each host's own `ip -batch`."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from bgplab.backends.embedded.hosts.switchboard import Host
from bgplab.backends.embedded.wiring.plan import HostWiring, Wiring
from bgplab.errors import LabError


def run_batch(command: Sequence[str], lines: Sequence[str], descriptors: Sequence[int] = ()) -> None:
    """Run lines of `ip -batch` in the lab's own network namespace (`command` is its `ip`). Raises LabError."""
    done = subprocess.run(
        [*command, "-batch", "-"],
        input="\n".join(lines) + "\n",
        text=True,
        capture_output=True,
        check=False,
        pass_fds=descriptors,
    )
    if done.returncode != 0:
        raise LabError(f"wiring failed: {done.stderr.strip()[-300:]}")


def make_bridges(wiring: Wiring, ip: Sequence[str]) -> None:
    lines = ["link set lo up"]
    for bridge in wiring.bridges:
        # forward_delay 0: without it a port learns for 15 s before it passes a frame
        lines += [f"link add {bridge} type bridge forward_delay 0 stp_state 0", f"link set {bridge} up"]
    run_batch(ip, lines)


def link_lines(host: HostWiring, netns: int) -> list[str]:
    """Lines for the lab's namespace that put a host's interfaces into the namespace behind a descriptor."""
    lines = []
    for link in host.links:
        lines.append(f"link add {link.outer} type veth peer name {link.inner} netns /proc/self/fd/{netns}")
        if link.bridge:
            lines.append(f"link set {link.outer} master {link.bridge}")
        lines.append(f"link set {link.outer} up")
    return lines


def connect_hosts(wiring: Wiring, hosts: Mapping[str, Host], ip: Sequence[str], workers: int = 8) -> None:
    """Give every host its interfaces, addresses and routes; hosts side by side."""
    lines = [line for plan in wiring.hosts for line in link_lines(plan, hosts[plan.name].netns)]
    run_batch(ip, lines, [hosts[plan.name].netns for plan in wiring.hosts])
    with ThreadPoolExecutor(workers) as pool:
        for done in pool.map(lambda plan: _configure(plan, hosts[plan.name]), wiring.hosts):
            assert done is None


def _configure(plan: HostWiring, host: Host) -> None:
    host.run(["ip", "-batch", "-"], stdin=("\n".join(plan.lines) + "\n").encode())
