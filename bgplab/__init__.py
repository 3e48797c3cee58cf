"""bgp-lab: a Cilium BGP lab as retryable flows, every step judged by what is really there."""

__version__ = "0.1.0"
