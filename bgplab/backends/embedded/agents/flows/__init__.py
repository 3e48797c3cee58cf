"""Flow records of pods' TCP connections, read as `hubble observe` reads them."""

from bgplab.backends.embedded.agents.flows.log import FlowLog

__all__ = ["FlowLog"]
