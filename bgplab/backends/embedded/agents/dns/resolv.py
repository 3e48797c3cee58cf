"""resolv.conf of a pod, as kubelet writes it for dnsPolicy ClusterFirst."""

from __future__ import annotations

from ipaddress import IPv4Address


def pod_resolv_conf(namespace: str, dns_address: IPv4Address, domain: str = "cluster.local") -> str:
    """The file's text. `ndots:5` makes `webpod` and `webpod.default.svc` go through the search list first."""
    return (
        f"search {namespace}.svc.{domain} svc.{domain} {domain}\n"
        f"nameserver {dns_address}\n"
        "options ndots:5\n"
    )  # fmt: skip
