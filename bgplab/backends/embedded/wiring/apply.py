"""Make a wiring real: bridges and veth pairs in the lab's own namespace, the rest by each host's own `ip -batch`."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from bgplab.backends.embedded.hosts.switchboard import Host
from bgplab.backends.embedded.wiring.plan import HostWiring, Wiring
from bgplab.errors import LabError


def run_ip_batch(lines: list[str], ip: str) -> None:
    """Run lines of `ip -batch` in the lab's own network namespace. Raises LabError naming the first bad line."""
    done = subprocess.run([ip, "-batch", "-"], input="\n".join(lines) + "\n", text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise LabError(f"wiring failed: {done.stderr.strip()[-300:]}")


def make_bridges(wiring: Wiring, ip: str) -> None:
    lines = ["link set lo up"]
    for bridge in wiring.bridges:
        # forward_delay 0: without it a port learns for 15 s before it passes a frame
        lines += [f"link add {bridge} type bridge forward_delay 0 stp_state 0", f"link set {bridge} up"]
    run_ip_batch(lines, ip)


def link_lines(host: HostWiring, netns: int) -> list[str]:
    """Lines for the lab's namespace that put a host's interfaces into `netns` (a descriptor's path)."""
    lines = []
    for link in host.links:
        lines.append(f"link add {link.outer} type veth peer name {link.inner} netns /proc/self/fd/{netns}")
        if link.bridge:
            lines.append(f"link set {link.outer} master {link.bridge}")
        lines.append(f"link set {link.outer} up")
    return lines


def connect_hosts(wiring: Wiring, hosts: Mapping[str, Host], ip: str, workers: int = 8) -> None:
    """Give every host its interfaces, addresses and routes; hosts side by side."""
    _connect_from_outside([(plan, hosts[plan.name]) for plan in wiring.hosts], ip)
    _each(workers, [lambda plan=plan: _configure(plan, hosts[plan.name]) for plan in wiring.hosts])  # type: ignore[misc]


def _connect_from_outside(pairs: list[tuple[HostWiring, Host]], ip: str) -> None:
    lines: list[str] = []
    descriptors = []
    for plan, host in pairs:
        lines += link_lines(plan, host.netns)
        descriptors.append(host.netns)
    done = subprocess.run(
        [ip, "-batch", "-"],
        input="\n".join(lines) + "\n",
        text=True,
        capture_output=True,
        check=False,
        pass_fds=descriptors,
    )
    if done.returncode != 0:
        raise LabError(f"wiring failed: {done.stderr.strip()[-300:]}")


def _configure(plan: HostWiring, host: Host) -> None:
    host.run(["ip", "-batch", "-"], stdin=("\n".join(plan.lines) + "\n").encode())


def _each(workers: int, jobs: list[Callable[[], None]]) -> None:
    with ThreadPoolExecutor(workers) as pool:
        for future in [pool.submit(job) for job in jobs]:
            future.result()
