"""Other clusters as one cluster is told of them: how to reach their etcd, and who connects with what."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from bgplab.spec.cilium_install.objects import secret
from bgplab.spec.manifest_files import Manifest
from bgplab.spec.mesh_certificates import Certified
from bgplab.spec.model import ClusterSpec, LabSpec

APISERVER = "clustermesh-apiserver"
CLUSTERMESH_SECRET = "cilium-clustermesh"
#: Where an agent finds what the Secret `cilium-clustermesh` and its own certificate hold.
CLUSTERMESH_DIRECTORY = "/var/lib/cilium/clustermesh"
MESH_DOMAIN = "mesh.cilium.io"


@dataclass(frozen=True, slots=True)
class Remote:
    """How to reach another cluster's etcd: a node's address and the node port.

    certified, authority: the other side's remote certificate and CA, only needed when the two CAs differ.
    """

    cluster: str
    address: IPv4Address
    port: int
    certified: Certified | None = None
    authority: str = ""

    @property
    def host_name(self) -> str:
        return f"{self.cluster}.{MESH_DOMAIN}"


def remote_of(cluster: ClusterSpec) -> Remote:
    """As the cilium CLI derives it: the first node in list order, that is by name, and the Service's node port."""
    first = min(cluster.nodes, key=lambda node: node.name)
    return Remote(cluster.name, first.address, cluster.mesh.node_port)


def remotes_of(spec: LabSpec, cluster: ClusterSpec) -> tuple[Remote, ...]:
    """All other clusters of the lab."""
    return tuple(remote_of(other) for other in spec.clusters if other.name != cluster.name)


def clustermesh_secret(remotes: Iterable[Remote]) -> Manifest:
    """`cilium-clustermesh`: per remote cluster an etcd client's configuration, as YAML."""
    data: dict[str, str] = {}
    for remote in remotes:
        prefix = f"{remote.cluster}." if remote.certified else "common-"
        files = f"{CLUSTERMESH_DIRECTORY}/{prefix}etcd-client"
        text = (
            f"endpoints:\n- https://{remote.host_name}:{remote.port}\n"
            f"trusted-ca-file: {files}-ca.crt\nkey-file: {files}.key\ncert-file: {files}.crt\n"
        )
        data[remote.cluster] = base64.b64encode(text.encode()).decode()
        if remote.certified:
            own = {"-ca.crt": remote.authority, ".key": remote.certified.key, ".crt": remote.certified.certificate}
            for ending, pem in own.items():
                data[f"{remote.cluster}.etcd-client{ending}"] = base64.b64encode(pem.encode()).decode()
    return secret(CLUSTERMESH_SECRET, data)


def host_aliases(remotes: Iterable[Remote]) -> list[dict[str, Any]]:
    """Names of the remote etcds in the agents' /etc/hosts; names of one address stand together, as Kubernetes asks."""
    names: dict[str, list[str]] = {}
    for remote in remotes:
        names.setdefault(str(remote.address), []).append(remote.host_name)
    return [{"ip": address, "hostnames": listed} for address, listed in names.items()]
