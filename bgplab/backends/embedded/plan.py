"""A lab as its daemon is told of it: plain data, made out of a description by the launcher (`planning.py`).

The description's own classes stay outside: the launcher has validated it, and importing pydantic and building the model
was a fifth of what the daemon's start cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any


@dataclass(frozen=True, slots=True)
class NodePlan:
    """on_link: the cluster's other nodes that it reaches without a router, by name."""

    name: str
    address: IPv4Address
    pod_cidr: IPv4Network
    control_plane: bool = False
    on_link: tuple[str, ...] = ()

    @classmethod
    def of(cls, given: dict[str, Any]) -> NodePlan:
        """From JSON, in which addresses are text."""
        return cls(
            given["name"],
            IPv4Address(given["address"]),
            IPv4Network(given["pod_cidr"]),
            given["control_plane"],
            tuple(given["on_link"]),
        )


@dataclass(frozen=True, slots=True)
class ClusterPlan:
    """One cluster. id: Cilium's cluster-id, 0 outside of a mesh."""

    name: str
    id: int
    cilium_version: str
    cilium_installed: bool
    pod_cidr: IPv4Network
    service_cidr: IPv4Network
    nodes: tuple[NodePlan, ...]

    @classmethod
    def of(cls, given: dict[str, Any]) -> ClusterPlan:
        """From JSON, in which addresses are text."""
        return cls(
            given["name"],
            given["id"],
            given["cilium_version"],
            given["cilium_installed"],
            IPv4Network(given["pod_cidr"]),
            IPv4Network(given["service_cidr"]),
            tuple(map(NodePlan.of, given["nodes"])),
        )
