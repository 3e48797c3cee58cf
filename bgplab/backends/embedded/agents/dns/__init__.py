"""Cluster DNS, answered on every node."""

from bgplab.backends.embedded.agents.dns.resolv import pod_resolv_conf
from bgplab.backends.embedded.agents.dns.responder import ClusterDns

__all__ = ["ClusterDns", "pod_resolv_conf"]
