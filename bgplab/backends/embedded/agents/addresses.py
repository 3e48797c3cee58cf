"""Addresses that several agents must agree on."""

from __future__ import annotations

from ipaddress import IPv4Address

from bgplab.backends.embedded.plan import ClusterPlan


def dns_address(cluster: ClusterPlan) -> IPv4Address:
    """The tenth address of the service range, as kubeadm gives it to kube-dns."""
    return cluster.service_cidr.network_address + 10
