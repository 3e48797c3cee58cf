"""How clusters reach each other's etcd: the NodePort each offers, what each was told of the others, and whether
packets get there."""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from bgplab.lab.cluster import DAEMON_SET, DEPLOYMENT, SECRET, SERVICE, Cluster
from bgplab.lab.shell import Shell
from bgplab.observe.mesh_install import APISERVER, NAMESPACE
from bgplab.observe.side_by_side import by_name, side_by_side

CLUSTERMESH_SECRET = "cilium-clustermesh"
CONNECT_SECONDS = 2


@dataclass(frozen=True, slots=True)
class ApiServer:
    """clustermesh-apiserver of one cluster. type: the Service's, None without one. ready: replicas."""

    type: str | None = None
    node_port: int | None = None
    ready: int = 0


@dataclass(frozen=True, slots=True)
class MeshApiServers:
    by_cluster: Mapping[str, ApiServer]


@dataclass(frozen=True, slots=True)
class Target:
    """Where a cluster looks for another one's etcd. address: by the agents' hostAliases, None where they have none."""

    host: str
    port: int
    address: str | None


@dataclass(frozen=True, slots=True)
class MeshConnections:
    """By cluster: what its Secret cilium-clustermesh says, by the remote cluster's name."""

    by_cluster: Mapping[str, Mapping[str, Target]]


@dataclass(frozen=True, slots=True)
class MeshReach:
    """By node and remote cluster: empty when a TCP connection to the other etcd's address comes about, else why not."""

    by_node: Mapping[str, Mapping[str, str]]


def read_mesh_api_servers(clusters: Mapping[str, Cluster]) -> MeshApiServers:
    return MeshApiServers(by_name(read_api_server, clusters))


def read_api_server(cluster: Cluster) -> ApiServer:
    service = cluster.get(SERVICE, APISERVER, NAMESPACE)
    deployment = cluster.get(DEPLOYMENT, APISERVER, NAMESPACE) or {}
    ready = int((deployment.get("status") or {}).get("readyReplicas") or 0)
    if service is None:
        return ApiServer(ready=ready)
    ports = service["spec"].get("ports") or [{}]
    return ApiServer(service["spec"].get("type", "ClusterIP"), ports[0].get("nodePort"), ready)


def read_mesh_connections(clusters: Mapping[str, Cluster]) -> MeshConnections:
    return MeshConnections(by_name(read_connections, clusters))


def read_connections(cluster: Cluster) -> dict[str, Target]:
    """Keys with a dot are certificates of a remote cluster with a CA of its own."""
    secret = cluster.get(SECRET, CLUSTERMESH_SECRET, NAMESPACE)
    if secret is None:
        return {}
    agents = cluster.get(DAEMON_SET, "cilium", NAMESPACE)
    pod = agents["spec"]["template"]["spec"] if agents else {}
    addresses = {name: alias["ip"] for alias in pod.get("hostAliases") or [] for name in alias["hostnames"]}
    told = {name: base64.b64decode(text).decode() for name, text in (secret.get("data") or {}).items()}
    return {
        name: Target(found[1], int(found[2]), addresses.get(found[1]))
        for name, text in told.items()
        if "." not in name and (found := re.search(r"https://([^:/\s]+):(\d+)", text))
    }


def read_mesh_reach(hosts: Mapping[str, Shell], targets: Mapping[str, Mapping[str, Target]]) -> MeshReach:
    """hosts: the nodes. targets: by node, the remote clusters' etcds; those without an address are left out."""

    def of(node: str) -> dict[str, str]:
        wanted = {name: target for name, target in targets[node].items() if target.address}
        said = side_by_side(
            lambda target: try_connection(hosts[node], target.address or "", target.port), wanted.values()
        )
        return dict(zip(wanted, said, strict=True))

    return MeshReach(by_name(of, {node: node for node in targets}))


def try_connection(host: Shell, address: str, port: int) -> str:
    """Empty when it came about; else the kernel's word, or that nothing was heard."""
    script = f"exec 3<>/dev/tcp/{address}/{port}"
    done = host.run(["timeout", str(CONNECT_SECONDS), "bash", "-c", script], timeout=10, check=False)
    if done.exit_status == 0:
        return ""
    if done.exit_status == 124:
        return f"no answer in {CONNECT_SECONDS} s"
    said = done.stderr.strip().splitlines() or [f"exit status {done.exit_status} of {shlex.quote(script)}"]
    return said[0].rpartition(": ")[2]
