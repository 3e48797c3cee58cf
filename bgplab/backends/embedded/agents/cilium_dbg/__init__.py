"""What exec in a node's `cilium` pod answers."""

from bgplab.backends.embedded.agents.cilium_dbg.command import CiliumDbg

__all__ = ["CiliumDbg"]
