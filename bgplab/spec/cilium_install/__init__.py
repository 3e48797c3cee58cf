"""Cilium as Kubernetes objects: what `cilium install`, `clustermesh enable` and `connect` leave in a cluster.

On a real cluster Helm renders them from Cilium's chart. Here are those that somebody looks at, with the chart's names,
labels and keys (Cilium 1.17/1.18): agents, operator, configuration, certificates, etcd with its NodePort, connections.
Not made: RBAC, cilium-envoy (so `external-envoy-proxy` is false), Hubble's relay and UI, the agents' init containers,
the certgen Job (its certificates are made by `mesh_certificates.py`), KVStoreMesh.

Pure: a description, certificates and a clock in, manifests out; nothing is asked. All in the namespace kube-system.
"""

from bgplab.spec.cilium_install.enabled import certificates, connect, enable
from bgplab.spec.cilium_install.helm import install_values
from bgplab.spec.cilium_install.installed import agents, ca_secret, config_map, install, ip_masq_agent
from bgplab.spec.cilium_install.remotes import (
    CLUSTERMESH_SECRET,
    Remote,
    clustermesh_secret,
    host_aliases,
    remote_of,
    remotes_of,
)

__all__ = [
    "CLUSTERMESH_SECRET",
    "Remote",
    "agents",
    "ca_secret",
    "certificates",
    "clustermesh_secret",
    "config_map",
    "connect",
    "enable",
    "host_aliases",
    "install",
    "install_values",
    "ip_masq_agent",
    "remote_of",
    "remotes_of",
]
