"""What exec in a node's `cilium` pod answers."""

from bgplab.backends.embedded.agents.cilium_dbg.command import DEFAULT_VERSION, CiliumDbg

__all__ = ["DEFAULT_VERSION", "CiliumDbg"]
