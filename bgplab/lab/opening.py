"""Open a lab: from the files that a backend hands over to shells and clusters behind the seams."""

from __future__ import annotations

from bgplab.lab.kubernetes_cluster import open_cluster
from bgplab.lab.model import Access, Lab
from bgplab.lab.ssh_shell import open_shell


def open_lab(access: Access) -> Lab:
    """Nothing is connected yet; the first command on a host, or request to a cluster, does."""
    hosts = {name: open_shell(name, access.ssh_config, sudo=access.sudo) for name in access.hosts}
    clusters = {name: open_cluster(access.kubeconfig, context, name) for name, context in access.contexts.items()}
    return Lab(access.name, hosts, clusters)
