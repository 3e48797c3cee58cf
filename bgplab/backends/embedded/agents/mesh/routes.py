"""Routes to other clusters' pods (Cilium's autoDirectNodeRoutes): by the node, if it is on a network of ours."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network

from bgplab.backends.embedded.agents.mesh.remote_store import RemoteNode
from bgplab.backends.embedded.hosts.handle import HostHandle

log = logging.getLogger(__name__)

Routes = Mapping[IPv4Network, IPv4Address]


def routes_to(nodes: Iterable[RemoteNode]) -> dict[IPv4Network, IPv4Address]:
    """Pod range → node. The first of two that claim the same one keeps it."""
    wanted: dict[IPv4Network, IPv4Address] = {}
    for node in nodes:
        if node.pod_cidr is not None:
            wanted.setdefault(node.pod_cidr, node.address)
    return wanted


class PodRoutes:
    """The routes that one node has because of the mesh. One thread uses it."""

    def __init__(self, node: str, host: HostHandle) -> None:
        self._node, self._host = node, host
        self._there: dict[IPv4Network, IPv4Address] = {}

    def become(self, wanted: Routes) -> None:
        """Add what is missing and take away what was added and is no longer wanted. Raises LabError.

        A node that a router leads to gets no route, as in Cilium, whose agent logs the same words.
        """
        lines = [f"route del {prefix} via {via}" for prefix, via in self._there.items() if wanted.get(prefix) != via]
        there = {prefix: via for prefix, via in self._there.items() if wanted.get(prefix) == via}
        for prefix, via in wanted.items():
            if prefix in there:
                continue
            device = self._device_to(via)
            if device is None:
                log.warning(
                    "%s: route to destination %s contains gateway, must be directly reachable: no route to %s",
                    self._node,
                    via,
                    prefix,
                )
                continue
            lines.append(f"route replace {prefix} via {via} dev {device}")
            there[prefix] = via
        if lines:
            self._host.run(["ip", "-force", "-batch", "-"], stdin=("\n".join(lines) + "\n").encode(), check=False)
        self._there = there

    def _device_to(self, address: IPv4Address) -> str | None:
        """The interface on whose network an address lies, by the kernel's own word; None when a gateway leads there."""
        done = self._host.run(["ip", "-json", "route", "get", str(address)], check=False)
        found = json.loads(done.stdout) if done.exit_status == 0 else []
        direct = [route for route in found if "gateway" not in route and route.get("type", "unicast") == "unicast"]
        return str(direct[0]["dev"]) if direct else None
