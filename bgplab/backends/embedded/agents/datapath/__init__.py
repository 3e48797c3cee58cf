"""The Service data path of nodes: nftables where Cilium has eBPF."""

from bgplab.backends.embedded.agents.datapath.agent import ServiceDataPath
from bgplab.backends.embedded.agents.datapath.ruleset import NodePath
from bgplab.backends.embedded.agents.datapath.services import Service
from bgplab.backends.embedded.wiring.plan import NODE_SYSCTLS

__all__ = ["NODE_SYSCTLS", "NodePath", "Service", "ServiceDataPath"]
