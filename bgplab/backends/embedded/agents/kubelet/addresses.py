"""Pod addresses of one node: handed out in rising order, a freed one again only when the others are used up."""

from __future__ import annotations

import threading
from collections import deque
from ipaddress import IPv4Address, IPv4Network

from bgplab.errors import LabError


class PodAddresses:
    """The first address is the node's own (see wiring/plan.py); network and broadcast stay free."""

    def __init__(self, pod_cidr: IPv4Network) -> None:
        self.pod_cidr = pod_cidr
        self.gateway = pod_cidr.network_address + 1
        self._free = deque(list(pod_cidr.hosts())[1:])
        self._lock = threading.Lock()

    def take(self) -> IPv4Address:
        """An address nobody has. Raises LabError when the range is used up."""
        with self._lock:
            if not self._free:
                raise LabError(f"no free pod address is left in {self.pod_cidr}")
            return self._free.popleft()

    def release(self, address: IPv4Address) -> None:
        with self._lock:
            self._free.append(address)
