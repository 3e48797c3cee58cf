"""Small in-memory stand-ins at the seams: hosts that answer the commands used, and a cluster of objects."""

from __future__ import annotations

import copy
import json
import shlex
import threading
from collections.abc import Callable, Sequence
from ipaddress import IPv4Network
from typing import Any

from bgplab.errors import CommandFailed
from bgplab.lab.cluster import Kind, Manifest
from bgplab.lab.model import Lab
from bgplab.lab.shell import Completed
from bgplab.observe.frr_config import STARTUP_FILE
from bgplab.observe.frr_service import PID_FILE
from bgplab.observe.sysctl import HASH_POLICY
from bgplab.spec.model import LabSpec

TYPED_ONLY = {"configure terminal", "end", "address-family ipv4 unicast", "exit-address-family"}


class FakeHost:
    """A host with a routing table. `commands`: everything that was run, as one line each."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.commands: list[str] = []
        self.routes: list[dict[str, Any]] = [{"dst": "default", "gateway": "192.0.2.2", "dev": "eth0"}]
        self.files: dict[str, str] = {}
        self.fault: Exception | None = None
        self.lock = threading.Lock()

    def run(self, argv: Sequence[str], *, stdin: str = "", timeout: float = 30.0, check: bool = True) -> Completed:
        with self.lock:
            self.commands.append(shlex.join(argv))
            if self.fault:
                raise self.fault
            status, printed = self.answer(list(argv), stdin)
        if check and status:
            raise CommandFailed(self.name, argv, status, printed, "")
        return Completed(tuple(argv), status, printed, "", 0.001)

    def answer(self, argv: list[str], stdin: str) -> tuple[int, str]:
        if argv == ["hostname"]:
            return 0, f"{self.name}\n"
        if argv == ["ip", "-j", "route"]:
            return 0, json.dumps(self.routes)
        if argv[0] == "grep":
            return (0 if argv[2] in self.files.get(argv[3], "") else 1), ""
        if argv[0] == "sh" and argv[2].startswith("ip route replace"):
            _, _, _, prefix, _, via = argv[2].split(" && ")[0].split()
            self.routes.append({"dst": prefix, "gateway": via, "dev": "eth1"})
            self.files["/etc/network/if-up.d/bgp-lab-routes"] = stdin
            return 0, ""
        raise AssertionError(f"{self.name} was asked {argv}")

    def read(self, path: str) -> bytes:
        if path not in self.files:
            raise CommandFailed(self.name, ["cat", path], 1, "", "No such file or directory")
        return self.files[path].encode()

    def put(self, content: bytes, path: str, mode: int = 0o644) -> None:
        self.files[path] = content.decode()

    def start(self, argv: Sequence[str], *, stdin: str = "", on_line: Callable[[str], None] | None = None) -> Any:
        raise AssertionError(f"{self.name} was asked to start {list(argv)}")


class FakeRouter(FakeHost):
    """FRR as far as the steps type and read it."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.asn: int | None = None
        self.lines: list[str] = []
        self.state, self.prefixes = "Active", 0
        self.paths: dict[str, list[dict[str, Any]]] = {}
        self.clock = 100.0
        self.written, self.started = 0.0, 50.0
        self.policy = "0"
        self.policy_files: dict[str, str] = {}

    def answer(self, argv: list[str], stdin: str) -> tuple[int, str]:
        if argv[0] == "vtysh":
            return 0, self.vtysh([word for word in argv[1:] if word != "-c"])
        if argv[:2] == ["systemctl", "restart"]:
            self.started = self.tick()
            return 0, ""
        if argv[0] == "sh" and "is-active" in argv[2]:
            return 0, f"active\n{STARTUP_FILE} {self.written}\n{PID_FILE} {self.started}\n"
        if argv[:2] == ["sysctl", "-n"]:
            return 0, f"{self.policy}\n"
        if argv[0] == "grep" and argv[1] == "-rHsE":
            lines = [f"{file}:{HASH_POLICY} = {value}" for file, value in self.policy_files.items()]
            return (0 if lines else 1), "\n".join(lines)
        if argv[0] == "sh" and HASH_POLICY in argv[2]:
            self.policy_files = {"/etc/sysctl.d/90-bgp-lab.conf": "1"}
            self.policy = "1"
            return 0, "1\n"
        return super().answer(argv, stdin)

    def vtysh(self, commands: list[str]) -> str:
        if commands == ["show running-config"]:
            return self.config()
        if commands == ["show bgp ipv4 unicast summary json"]:
            return json.dumps(self.summary())
        if commands == ["show bgp ipv4 unicast json"]:
            return json.dumps({"routes": self.paths})
        for command in commands:
            if command == "write memory":
                self.files[STARTUP_FILE] = self.config()
                self.written = self.tick()
            elif command.startswith("router bgp"):
                self.asn = int(command.split()[-1])
            elif command not in TYPED_ONLY and command not in self.lines:
                self.lines.append(command)
        return ""

    def config(self) -> str:
        block = "".join(f" {line}\n" for line in self.lines)
        return "frr version 8.4.4\n!\n" + (f"router bgp {self.asn}\n{block}exit\n!\n" if self.asn else "") + "end\n"

    def summary(self) -> dict[str, Any]:
        peers = [line.split()[1] for line in self.lines if " peer-group " in line]
        entry = {"state": self.state, "pfxRcd": self.prefixes, "remoteAs": 0}
        return {"routerId": "192.168.10.200", "as": self.asn, "peers": dict.fromkeys(peers, entry)} if self.asn else {}

    def announce(self, prefix: str, next_hops: Sequence[str]) -> None:
        """Paths and a kernel route to a prefix."""
        flags = {"valid": True, "pathFrom": "external", "multipath": True}
        self.paths[prefix] = [
            {**flags, "bestpath": number == 0, "peerId": hop, "nexthops": [{"ip": hop}]}
            for number, hop in enumerate(next_hops)
        ]
        dst = prefix.removesuffix("/32")
        self.routes = [route for route in self.routes if route["dst"] != dst]
        hops = [{"gateway": hop, "dev": "eth1"} for hop in next_hops]
        self.routes += [{"dst": dst, "protocol": "bgp", "nexthops": hops}] if hops else []

    def tick(self) -> float:
        self.clock += 1
        return self.clock


class FakeCluster:
    """Objects by kind, namespace and name. `on_change` stands for the controllers; `requests` counts what is asked."""

    name = "kubernetes"

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Manifest] = {}
        self.on_change: Callable[[FakeCluster], None] = lambda _: None
        self.applied: list[str] = []
        self.patches: list[tuple[str, Any]] = []
        self.listed: list[str] = []
        self.fault: Exception | None = None

    def put(self, manifest: Manifest) -> None:
        self.objects[(manifest["kind"], manifest["metadata"]["name"])] = manifest

    def get(self, kind: Kind, name: str, namespace: str | None = None) -> Manifest | None:
        return copy.deepcopy(self.objects.get((kind.kind, name)))

    def list(self, kind: Kind, namespace: str | None = None, *, labels: str = "", fields: str = "") -> list[Manifest]:
        self.listed.append(kind.kind)
        if self.fault:
            raise self.fault
        return [copy.deepcopy(item) for (held, _), item in self.objects.items() if held == kind.kind]

    def kind_of(self, manifest: Manifest) -> Kind:
        kind = manifest["kind"]
        return Kind(manifest["apiVersion"], kind, kind.lower() + "s", namespaced=not kind.startswith("Cilium"))

    def apply(self, manifest: Manifest, *, field_manager: str = "bgp-lab") -> Manifest:
        key = (manifest["kind"], manifest["metadata"]["name"])
        self.objects[key] = merged(self.objects.get(key, {}), manifest)
        self.applied.append(manifest["kind"])
        self.on_change(self)
        return self.objects[key]

    def patch(self, kind: Kind, name: str, patch: Any, namespace: str | None = None, **options: Any) -> Manifest:
        self.patches.append((name, patch))
        self.objects[(kind.kind, name)] = merged(self.objects[(kind.kind, name)], patch)
        self.on_change(self)
        return self.objects[(kind.kind, name)]


def merged(one: Any, other: Any) -> Any:
    if isinstance(one, dict) and isinstance(other, dict):
        return {**one, **{key: merged(one.get(key), value) for key, value in other.items()}}
    return copy.deepcopy(other)


def node_object(spec: LabSpec, name: str, *, labelled: bool = False) -> Manifest:
    node = next(node for node in spec.cluster.nodes if node.name == name)
    return {
        "kind": "Node",
        "metadata": {"name": name, "labels": {spec.cluster.bgp.node_label: "true"} if labelled else {}},
        "spec": {"podCIDR": str(node.pod_cidr)},
        "status": {
            "addresses": [{"type": "InternalIP", "address": str(node.address)}],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def pod_object(spec: LabSpec, node_name: str, *, ready: bool = True) -> Manifest:
    node = next(node for node in spec.cluster.nodes if node.name == node_name)
    return {
        "kind": "Pod",
        "metadata": {"name": f"webpod-{node_name}", "namespace": "default", "labels": {"app": "webpod"}},
        "spec": {"nodeName": node_name},
        "status": {
            "phase": "Running",
            "podIP": str(node.pod_cidr[11]),
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }


def slice_object(spec: LabSpec, node_names: Sequence[str]) -> Manifest:
    nodes = [node for node in spec.cluster.nodes if node.name in node_names]
    return {
        "kind": "EndpointSlice",
        "metadata": {"name": "webpod-1", "namespace": "default"},
        "addressType": "IPv4",
        "endpoints": [
            {"addresses": [str(IPv4Network(node.pod_cidr)[11])], "nodeName": node.name, "conditions": {"ready": True}}
            for node in nodes
        ],
    }


def fake_lab(spec: LabSpec) -> tuple[Lab, FakeRouter, FakeCluster]:
    """The lab with one router, and direct hold of router and cluster."""
    router, cluster = FakeRouter(spec.routers[0].name), FakeCluster()
    hosts: dict[str, Any] = {router.name: router}
    hosts |= {node.name: FakeHost(node.name) for node in spec.cluster.nodes}
    for node in spec.cluster.nodes:
        cluster.put(node_object(spec, node.name))
    return Lab("fake", hosts, {cluster.name: cluster}), router, cluster  # type: ignore[dict-item]
