"""The Service data path of nodes: nftables where Cilium has eBPF."""

from bgplab.backends.embedded.agents.datapath.agent import NODE_SYSCTLS, ServiceDataPath
from bgplab.backends.embedded.agents.datapath.ruleset import NodePath
from bgplab.backends.embedded.agents.datapath.services import Service

__all__ = ["NODE_SYSCTLS", "NodePath", "Service", "ServiceDataPath"]
