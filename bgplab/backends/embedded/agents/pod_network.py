"""A node's part in the pod network: its own address in it, and routes to the pods of nodes in the same subnet.

What Cilium's agent does with native routing and autoDirectNodeRoutes. Clusters that have Cilium from the start get the
same with their wiring (wiring/plan.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bgplab.backends.embedded.hosts.handle import HostHandle
from bgplab.backends.embedded.plan import NodePlan


def connect_node(host: HostHandle, node: NodePlan, others: Iterable[NodePlan]) -> None:
    """Repeatable. others: nodes of the cluster that are on the same link."""
    own = node.pod_cidr.network_address + 1
    _run(host, [f"address replace {own}/32 dev lo", *(f"route replace {each}" for each in _routes(others))])


def disconnect_node(host: HostHandle, others: Iterable[NodePlan]) -> None:
    """What is gone already is fine. The node's own address stays, as the routes to pods that still run hang on it."""
    _run(host, [f"route delete {each}" for each in _routes(others)], force=True)


def _routes(others: Iterable[NodePlan]) -> list[str]:
    return [f"{other.pod_cidr} via {other.address}" for other in others]


def _run(host: HostHandle, lines: Sequence[str], *, force: bool = False) -> None:
    options = ["-force"] if force else []
    host.run(["ip", *options, "-batch", "-"], stdin="\n".join(lines).encode(), check=not force)
