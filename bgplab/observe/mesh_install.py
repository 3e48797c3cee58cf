"""How Cilium is installed in every cluster of a mesh: its configuration, its release, and its certificate authority."""

from __future__ import annotations

import base64
import hashlib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

from bgplab.lab.cluster import CONFIG_MAP, DAEMON_SET, SECRET, Cluster, Manifest
from bgplab.observe.side_by_side import by_name

NAMESPACE = "kube-system"
CA_SECRET = "cilium-ca"
APISERVER = "clustermesh-apiserver"
#: What clustermesh-apiserver's secrets are for: the etcd itself, who fills it, and the agents of other clusters.
CERTIFICATES = ("server", "admin", "remote")


@dataclass(frozen=True, slots=True)
class Installed:
    """Cilium in one cluster.

    version: the tag of the agents' image; None without the DaemonSet. config: the ConfigMap cilium-config.
    authority: SHA-256 fingerprint of the certificate in the Secret cilium-ca (as openssl writes it); None without.
    signed_by: the same of the authority that comes with each of clustermesh-apiserver's certificates, by use.
    """

    version: str | None = None
    config: Mapping[str, str] = field(default_factory=dict)
    authority: str | None = None
    signed_by: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MeshInstalled:
    """By cluster."""

    by_cluster: Mapping[str, Installed]


def read_mesh_installed(clusters: Mapping[str, Cluster]) -> MeshInstalled:
    return MeshInstalled(by_name(read_installed, clusters))


def read_installed(cluster: Cluster) -> Installed:
    """No private key is read into what is kept: only public certificates leave this function."""
    agents = cluster.get(DAEMON_SET, "cilium", NAMESPACE)
    config = cluster.get(CONFIG_MAP, "cilium-config", NAMESPACE)
    fingerprints = {use: authority_of(cluster, f"{APISERVER}-{use}-cert") for use in CERTIFICATES}
    return Installed(
        image_version(agents) if agents else None,
        dict((config or {}).get("data") or {}),
        authority_of(cluster, CA_SECRET),
        {use: print_ for use, print_ in fingerprints.items() if print_},
    )


def authority_of(cluster: Cluster, secret: str) -> str | None:
    """The fingerprint of `ca.crt` in a Secret; None without the Secret. Raises ValueError when it is no certificate."""
    found = cluster.get(SECRET, secret, NAMESPACE)
    return fingerprint(base64.b64decode(found["data"]["ca.crt"]).decode()) if found else None


def fingerprint(certificate: str) -> str:
    """SHA-256 of a PEM certificate as `openssl x509 -fingerprint -sha256` writes it. Raises ValueError."""
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest().upper()
    return ":".join(digest[place : place + 2] for place in range(0, len(digest), 2))


def image_version(agents: Manifest) -> str:
    """`1.17.6` of `quay.io/cilium/cilium:v1.17.6@sha256:…`."""
    image: str = agents["spec"]["template"]["spec"]["containers"][0]["image"]
    return image.partition("@")[0].rpartition(":")[2].removeprefix("v")
