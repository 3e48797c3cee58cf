"""A real wire for the tests: hosts as namespaces on one bridge, FRR on the router, gobgpd where an agent wants it.

Works as root and as an ordinary user (user namespace). Every process ends with the fixture's holder.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bgplab.errors import CommandFailed
from bgplab.lab.shell import Completed
from bgplab.lab.waiting import Deadline, wait_until

# set -e, and a look: without its own /etc this would write the machine's (it did once, when a mount was refused).
MOUNTS = """
set -e
mount -t tmpfs tmpfs /etc; mount -t tmpfs tmpfs /run
mountpoint -q /etc; mountpoint -q /run
mkdir -p /run/frr /run/lab /etc/frr /etc/pam.d
touch /etc/frr/vtysh.conf; printf 'auth sufficient pam_permit.so\\naccount sufficient pam_permit.so\\n' > /etc/pam.d/frr
ln -s /run/frr /var/run/frr 2>/dev/null || true
mount --bind {shared} /run/lab
printf 'root:x:0:0::/:/bin/sh\\nfrr:x:0:0::/:/bin/sh\\n' > /etc/passwd
printf 'root:x:0:\\nfrr:x:0:\\nfrrvty:x:0:\\n' > /etc/group
mount -t sysfs sysfs /sys 2>/dev/null || true; mount --bind {userland}/usr /usr; /usr/sbin/ip link set lo up
echo ready; exec cat
"""

FRR = """\
hostname router
log file /run/lab/frr.log informational
router bgp 65000
 bgp router-id 192.168.10.200
 no bgp ebgp-requires-policy
 bgp graceful-restart
 bgp bestpath as-path multipath-relax
 neighbor CILIUM peer-group
 neighbor CILIUM remote-as external
 neighbor 192.168.10.100 peer-group CILIUM
 neighbor 192.168.10.101 peer-group CILIUM
 address-family ipv4 unicast
  network 10.10.1.0/24
  maximum-paths 4
 exit-address-family
"""


class Process:
    """A HostProcess: one that was started by entering the namespaces (only tests may do that)."""

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        self._popen = popen
        self.pid = popen.pid

    def kill(self, signal: int) -> None:
        self._popen.send_signal(signal)

    def wait(self, timeout: float | None = None) -> int | None:
        try:
            status = self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        return 128 - status if status < 0 else status


class Host:
    """A HostHandle: network and mount namespaces of its own, held by a process that only waits."""

    def __init__(self, name: str, userland: Path, enter: Sequence[str] = ()) -> None:
        self.name = name
        self.shared = Path(tempfile.mkdtemp(prefix="bgp-", dir="/tmp"))
        self._processes: list[subprocess.Popen[bytes]] = []
        script = MOUNTS.format(userland=userland, shared=self.shared)
        new = ["unshare", "--net", "--mount"] if enter or os.getuid() == 0 else ["unshare", "-rUnm"]
        self._holder = subprocess.Popen(
            [*enter, *new, "--propagation", "private", "sh", "-c", script],
            stdin=subprocess.PIPE,  # the holder ends when this end is closed, whatever becomes of the test
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout and self._holder.stdout.readline() == b"ready\n", f"{name}: namespaces"
        self.netns = os.open(f"/proc/{self.holder_pid}/ns/net", os.O_RDONLY)

    @property
    def holder_pid(self) -> int:
        return self._holder.pid

    @property
    def as_its_user(self) -> list[str]:
        """Only its user namespace, with this machine's own mounts: hosts that are wired share one."""
        return ["nsenter", "--target", str(self.holder_pid), "--user", "--preserve-credentials", "--"]

    @property
    def enter(self) -> list[str]:
        user = [] if os.getuid() == 0 else ["--user", "--preserve-credentials"]
        return ["nsenter", "--target", str(self.holder_pid), "--net", "--mount", *user, "--"]

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float = 30.0,
        env: Mapping[str, str] | None = None,
        check: bool = True,
    ) -> Completed:
        started = time.monotonic()
        done = subprocess.run([*self.enter, *argv], input=stdin, capture_output=True, timeout=timeout, check=False)
        out, err = done.stdout.decode(), done.stderr.decode()
        if check and done.returncode:
            raise CommandFailed(self.name, argv, done.returncode, out, err)
        return Completed(tuple(argv), done.returncode, out, err, time.monotonic() - started)

    def spawn(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
    ) -> Process:
        streams = [subprocess.DEVNULL if stream is None else stream for stream in (stdin, stdout, stderr)]
        popen = subprocess.Popen([*self.enter, *argv], stdin=streams[0], stdout=streams[1], stderr=streams[2])
        self._processes.append(popen)
        return Process(popen)

    def kill_newest(self) -> None:
        """As `kill -9` of somebody who is logged in there."""
        self._processes[-1].kill()

    def close(self) -> None:
        for process in (*self._processes, self._holder):
            process.send_signal(signal.SIGKILL)
            process.wait(5)
        os.close(self.netns)
        subprocess.run(["rm", "-rf", str(self.shared)], check=False)


class Wire:
    """A router and two nodes of one subnet: `router` (FRR), `k8s-ctr`, `k8s-w1`."""

    addresses = {"k8s-ctr": "192.168.10.100", "k8s-w1": "192.168.10.101"}

    def __init__(self, userland: Path) -> None:
        self.router = Host("router", userland)
        self.nodes = {
            name: Host(name, userland, [] if os.getuid() == 0 else self.router.as_its_user) for name in self.addresses
        }
        ip = ["/usr/sbin/ip"]
        self.router.run([*ip, "link", "add", "br0", "up", "type", "bridge"])
        self.router.run([*ip, "address", "add", "192.168.10.200/24", "dev", "br0"])
        self.router.run([*ip, "link", "add", "own0", "up", "type", "bridge"])
        self.router.run([*ip, "address", "add", "10.10.1.1/24", "dev", "own0"])
        for number, (name, node) in enumerate(self.nodes.items()):
            end = f"veth{number}"
            peer = ["peer", "name", "eth1", "netns", str(node.holder_pid)]
            self.router.run([*ip, "link", "add", end, "up", "master", "br0", "type", "veth", *peer])
            node.run([*ip, "address", "add", f"{self.addresses[name]}/24", "dev", "eth1"])
            node.run([*ip, "link", "set", "eth1", "up"])
        try:
            self._start_frr()
        except BaseException:
            self.close()
            raise

    def _start_frr(self) -> None:
        for daemon, text in (("zebra", ""), ("bgpd", FRR)):
            (self.router.shared / f"{daemon}.conf").write_text(text)
            self.router.spawn([f"/usr/lib/frr/{daemon}", "-f", f"/run/lab/{daemon}.conf", "-A", "127.0.0.1"])
        wait_until(
            self.summary,
            lambda seen: len(seen) == 2,
            Deadline.after(10),
            "FRR's neighbours",
            every=0.02,
            transient=(CommandFailed, ValueError),  # vtysh's words for a daemon that is not up yet are not JSON
        )

    def configure(self, *lines: str) -> None:
        words = [word for line in ("configure terminal", *lines) for word in ("-c", line)]
        self.router.run(["/usr/bin/vtysh", *words])

    def vtysh(self, command: str) -> Any:
        return json.loads(self.router.run(["/usr/bin/vtysh", "-c", f"{command} json"]).stdout)

    def summary(self) -> dict[str, Any]:
        return self.vtysh("show bgp ipv4 unicast summary").get("peers", {})

    def neighbor(self, node: str) -> dict[str, Any]:
        address = self.addresses[node]
        return self.vtysh(f"show bgp neighbors {address}")[address]

    def next_hops(self, prefix: str) -> set[str]:
        """Who announces a prefix to the router; stale paths included."""
        table = self.vtysh("show bgp ipv4 unicast")["routes"]
        return {hop["ip"] for path in table.get(prefix, []) for hop in path["nexthops"]}

    def established(self) -> set[str]:
        up = {address for address, peer in self.summary().items() if peer["state"] == "Established"}
        return {name for name, address in self.addresses.items() if address in up}

    def close(self) -> None:
        for host in (*self.nodes.values(), self.router):
            host.close()
