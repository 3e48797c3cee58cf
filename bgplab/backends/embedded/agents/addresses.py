"""Addresses that several agents must agree on."""

from __future__ import annotations

from ipaddress import IPv4Address

from bgplab.spec.model import ClusterSpec


def dns_address(cluster: ClusterSpec) -> IPv4Address:
    """The tenth address of the service range, as kubeadm gives it to kube-dns."""
    return cluster.service_cidr.network_address + 10
