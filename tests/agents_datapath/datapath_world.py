"""A small world of real network namespaces: two nodes, a router, pods on the nodes; and objects for the agents.

router 192.168.10.200 ── bridge ──┬── node a 192.168.10.100 ── client 172.20.0.4, web-a 172.20.0.11
                                  └── node b 192.168.10.101 ── web-b 172.20.1.12
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from bgplab.backends.embedded.agents.datapath import NODE_SYSCTLS, NodePath
from bgplab.backends.embedded.agents.netns import socket_in
from bgplab.backends.embedded.agents.programs.images import FILES
from bgplab.backends.embedded.hosts.userland import is_ready, userland_directory
from bgplab.errors import CommandFailed
from bgplab.lab.cluster import Kind, Manifest
from bgplab.lab.shell import Completed

PODS = IPv4Network("172.20.0.0/16")
SERVICES = "10.96.0.0/12"
NODE_A, NODE_B, ROUTER = "192.168.10.100", "192.168.10.101", "192.168.10.200"
CLIENT, WEB_A, WEB_B = "172.20.0.4", "172.20.0.11", "172.20.1.12"
VIP, CLUSTER_IP = "172.16.1.1", "10.96.7.7"

#: However the tests end, what they started ends with them.
TOGETHER = ("setpriv", "--pdeathsig", "KILL")


class Tools:
    """The programs that hosts run: of their userland, or this machine's own."""

    NEEDED = ("nft", "ip", "curl", "sysctl")

    def __init__(self, directory: Path) -> None:
        self.path = f"{directory}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        userland = userland_directory()
        if is_ready(userland):
            self._wrap(userland, directory)

    def missing(self) -> list[str]:
        return [
            name for name in (*self.NEEDED, "nsenter", "unshare", "setpriv") if not shutil.which(name, path=self.path)
        ]

    def _wrap(self, userland: Path, directory: Path) -> None:
        """Scripts that start the userland's programs with its own loader and libraries."""
        loader = next((userland / "usr/lib64").glob("ld-linux-*"), None)
        libraries = ":".join(str(path) for path in (userland / "usr/lib").glob("*-linux-gnu"))
        for name in self.NEEDED:
            program = next((p for p in (userland / "usr/sbin" / name, userland / "usr/bin" / name) if p.exists()), None)
            if loader and program:
                script = directory / name
                script.write_text(f'#!/bin/sh\nexec {loader} --library-path {libraries} {program.resolve()} "$@"\n')
                script.chmod(0o755)


class NamespaceHost:
    """A network namespace, held by a process that does nothing (the HostHandle that agents are given)."""

    def __init__(self, name: str, tools: Tools, shared: Path) -> None:
        self.name, self.shared = name, shared
        self.calls: list[tuple[str, ...]] = []
        self._tools = tools
        self._holder = subprocess.Popen([*TOGETHER, "unshare", "--net", "sleep", "infinity"])
        self._processes: list[subprocess.Popen[bytes]] = []
        ours = os.stat("/proc/self/ns/net").st_ino
        wait_for(lambda: os.stat(self.path).st_ino != ours, f"{name}: a namespace of its own")
        self.netns = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)

    @property
    def path(self) -> str:
        return f"/proc/{self._holder.pid}/ns/net"

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float = 30.0,
        env: Mapping[str, str] | None = None,
        check: bool = True,
    ) -> Completed:
        self.calls.append(tuple(argv))
        started = time.monotonic()
        done = subprocess.run(
            ["nsenter", f"--net={self.path}", *argv],
            input=stdin,
            capture_output=True,
            timeout=timeout,
            env={**os.environ, "PATH": self._tools.path, **(env or {})},
            check=False,
        )
        seconds = time.monotonic() - started
        out, err = done.stdout.decode(), done.stderr.decode()
        if check and done.returncode:
            raise CommandFailed(self.name, argv, done.returncode, out, err)
        return Completed(tuple(argv), done.returncode, out, err, seconds)

    def start(self, argv: Sequence[str], env: Mapping[str, str]) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [*TOGETHER, "nsenter", f"--net={self.path}", *argv],
            env={**os.environ, **env},
            stdout=subprocess.DEVNULL,
        )
        self._processes.append(process)
        return process

    def spawn(self, argv: Sequence[str], **_: Any) -> Any:
        raise NotImplementedError("the agents under test start nothing")

    def socket(self, kind: socket.SocketKind = socket.SOCK_STREAM, protocol: int = 0) -> socket.socket:
        return socket_in(self.netns, lambda: socket.socket(socket.AF_INET, kind, protocol))

    def close(self) -> None:
        for process in [*self._processes, self._holder]:
            process.send_signal(signal.SIGKILL)
            process.wait()
        os.close(self.netns)


@dataclass(frozen=True)
class Reply:
    """What a web pod said: who it is and whom it saw."""

    pod: str
    seen: str


def ask(host: NamespaceHost, address: str, port: int = 80, timeout: float = 2.0, source_port: int = 0) -> Reply:
    """One HTTP request over a new connection. Raises OSError as the kernel says it, TimeoutError after `timeout`."""
    with host.socket() as connection:
        connection.settimeout(timeout)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if source_port:
            connection.bind(("0.0.0.0", source_port))
        connection.connect((address, port))
        return ask_on(connection)


def ask_on(connection: socket.socket, last: bool = True) -> Reply:
    connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n" + (b"Connection: close\r\n\r\n" if last else b"\r\n"))
    body = b""
    while b"\nGET / " not in body:
        data = connection.recv(4096)
        if not data:
            raise ConnectionResetError("closed without an answer")
        body += data
    text = body.decode()
    return Reply(re.findall(r"^Name: (\S+)", text, re.M)[0], re.findall(r"^RemoteAddr: ([\d.]+)", text, re.M)[0])


def wait_for(holds: Callable[[], object], what: str, seconds: float = 5.0) -> None:
    """Wait on a condition; a test that waits in vain says for what."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not so within {seconds} s: {what}"
        time.sleep(0.005)


class World:
    """All namespaces of the picture above, wired."""

    def __init__(self, tools: Tools, shared: Path) -> None:
        names = ("switch", "a", "b", "router", "client", "web-a", "web-b")
        self.hosts = {name: NamespaceHost(name, tools, shared) for name in names}
        self.a, self.b, self.router = self.hosts["a"], self.hosts["b"], self.hosts["router"]
        self.client, self.web_a, self.web_b = self.hosts["client"], self.hosts["web-a"], self.hosts["web-b"]
        self._wire()
        for name in ("web-a", "web-b", "router"):
            program = FILES / "whoami.py"
            self.hosts[name].start([sys.executable, "-I", "-S", str(program)], {"WHOAMI_NAME": name})
        for host, address in ((self.web_a, WEB_A), (self.web_b, WEB_B), (self.router, ROUTER)):
            wait_for(lambda host=host, address=address: _listens(host, address), f"{host.name} listens")

    def _wire(self) -> None:
        switch = ["link add br0 type bridge", "link set br0 up", "link set lo up"]
        for name in ("a", "b", "router"):
            switch += [
                f"link add port-{name} type veth peer name eth1 netns {self.hosts[name]._holder.pid}",
                f"link set port-{name} master br0 up",
            ]
        self._batch("switch", switch)
        self.hosts["switch"].run(["sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=0"], check=False)
        for name, address, pods in (
            ("a", NODE_A, {"client": CLIENT, "web-a": WEB_A}),
            ("b", NODE_B, {"web-b": WEB_B}),
        ):
            self._wire_node(name, address, pods)
        self._batch(
            "router",
            [
                "link set lo up",
                "link set eth1 up",
                f"address add {ROUTER}/24 dev eth1",
                f"route add 172.20.0.0/24 via {NODE_A}",
                f"route add 172.20.1.0/24 via {NODE_B}",
                f"route add {VIP} via {NODE_A}",
                f"route add {SERVICES} via {NODE_A}",
                f"route add 203.0.113.7 via {NODE_A}",
            ],
        )

    def _wire_node(self, name: str, address: str, pods: dict[str, str]) -> None:
        gateway = str(IPv4Address(int(IPv4Address(next(iter(pods.values())))) & 0xFFFFFF00) + 1)
        other_pods, other = ("172.20.1.0/24", NODE_B) if name == "a" else ("172.20.0.0/24", NODE_A)
        lines = [
            "link set lo up",
            "link set eth1 up",
            f"address add {address}/24 dev eth1",
            f"address add {gateway}/32 dev lo",
            # the silent uplink of a lab's node
            "link add eth0 type veth peer name nobody",
            "link set eth0 up",
            "link set nobody up",
            "address add 192.0.2.15/24 dev eth0",
            "neighbour replace 192.0.2.2 lladdr 02:00:00:00:00:02 nud permanent dev eth0",
            "route add default via 192.0.2.2 dev eth0",
            f"route add {other_pods} via {other}",
        ]
        for pod, pod_address in pods.items():
            interface = f"lxc{pod.replace('-', '')}"
            lines += [
                f"link add {interface} type veth peer name eth0 netns {self.hosts[pod]._holder.pid}",
                f"link set {interface} up",
                f"route add {pod_address}/32 dev {interface} src {gateway}",
            ]
        self._batch(name, lines)
        settings = [f"{key}={value}" for key, value in NODE_SYSCTLS.items()]
        self.hosts[name].run(["sysctl", "-qw", *settings])
        for pod, pod_address in pods.items():
            self._batch(
                pod,
                [
                    "link set lo up",
                    "link set eth0 up",
                    f"address add {pod_address}/32 dev eth0",
                    f"route add {gateway} dev eth0 scope link",
                    f"route add default via {gateway} dev eth0",
                ],
            )

    def _batch(self, name: str, lines: list[str]) -> None:
        self.hosts[name].run(["ip", "-batch", "-"], stdin="\n".join(lines).encode())

    def close(self) -> None:
        for host in self.hosts.values():
            host.close()


def _listens(host: NamespaceHost, address: str) -> bool:
    try:
        return bool(ask(host, address, timeout=0.3).pod)
    except OSError:
        return False


def node_path(name: str) -> NodePath:
    address, gateway, cidr = {
        "a": (NODE_A, "172.20.0.1", "172.20.0.0/24"),
        "b": (NODE_B, "172.20.1.1", "172.20.1.0/24"),
    }[name]
    return NodePath(
        name=name,
        address=IPv4Address(address),
        addresses=(IPv4Address(address), IPv4Address(gateway)),
        pod_cidr=IPv4Network(cidr),
        native_routing=(PODS, IPv4Network(NODE_A), IPv4Network(NODE_B)),
    )


class FakeInformer:
    """Objects of one kind that a test puts there (list, get, subscribe as of controllers/runtime.py)."""

    synced = True

    def __init__(self) -> None:
        self._objects: dict[tuple[str, str], Manifest] = {}
        self._subscribers: list[Callable[[Manifest | None, Manifest | None], None]] = []

    def list(self) -> list[Manifest]:
        return list(self._objects.values())

    def get(self, name: str, namespace: str | None = None) -> Manifest | None:
        return self._objects.get((namespace or "", name))

    def subscribe(self, callback: Callable[[Manifest | None, Manifest | None], None]) -> None:
        self._subscribers.append(callback)
        for manifest in self.list():
            callback(None, manifest)

    def wait_synced(self, timeout: float) -> None:
        pass

    def put(self, *manifests: Manifest) -> None:
        for manifest in manifests:
            key = (manifest["metadata"].get("namespace", ""), manifest["metadata"]["name"])
            old, self._objects[key] = self._objects.get(key), manifest
            for subscriber in self._subscribers:
                subscriber(old, manifest)

    def clear(self) -> None:
        objects, self._objects = self._objects, {}
        for old in objects.values():
            for subscriber in self._subscribers:
                subscriber(old, None)


class FakeInformers:
    def __init__(self) -> None:
        self._by_kind: dict[str, FakeInformer] = {}

    def of(self, kind: Kind) -> FakeInformer:
        return self._by_kind.setdefault(kind.kind, FakeInformer())


def service(name: str = "webpod", **spec: Any) -> Manifest:
    """A Service of type LoadBalancer at CLUSTER_IP, VIP and node port 30080, unless `spec` says otherwise."""
    ingress = spec.pop("ingress", VIP)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": spec.pop("namespace", "default"), "name": name},
        "spec": {
            "type": "LoadBalancer",
            "clusterIP": CLUSTER_IP,
            "ports": [{"port": 80, "protocol": "TCP", "nodePort": 30080}],
            **spec,
        },
        "status": {"loadBalancer": {"ingress": [{"ip": ingress}] if ingress else []}},
    }


def endpoint_slice(*endpoints: tuple[str, str], name: str = "webpod", port: int = 80, **conditions: bool) -> Manifest:
    """Endpoints as (address, node); ready unless `conditions` say otherwise."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"namespace": "default", "name": f"{name}-x", "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "ports": [{"port": port, "protocol": "TCP"}],
        "endpoints": [
            {"addresses": [address], "nodeName": node, "conditions": {"ready": True, **conditions}}
            for address, node in endpoints
        ],
    }


BOTH = ((WEB_A, "a"), (WEB_B, "b"))
