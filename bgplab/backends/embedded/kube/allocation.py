"""Cluster addresses and node ports: who holds which, and a free one."""

from __future__ import annotations

import random
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network


class PoolExhaustedError(Exception):
    """Nothing is left to give."""


class AddressPool:
    """The addresses of a service CIDR. The first ones are kept for who asks for them by name, as in the real server."""

    def __init__(self, network: IPv4Network, chance: random.Random) -> None:
        self.network = network
        self._chance = chance
        self._held: set[IPv4Address] = set()
        size = network.num_addresses
        self._low = min(max(16, size // 16), 256) if size > 32 else 1

    def hold(self, address: IPv4Address) -> bool:
        """Take this very address; False when somebody has it."""
        if address in self._held:
            return False
        self._held.add(address)
        return True

    def contains(self, address: IPv4Address) -> bool:
        inside = address in self.network
        return inside and address not in (self.network.network_address, self.network.broadcast_address)

    def take(self) -> IPv4Address:
        return self._take_from(range(self._low, self.network.num_addresses - 1)) or self._last_resort()

    def release(self, address: IPv4Address) -> None:
        self._held.discard(address)

    def _last_resort(self) -> IPv4Address:
        found = self._take_from(range(1, self._low))
        if found is None:
            raise PoolExhaustedError(f"no address of {self.network} is free")
        return found

    def _take_from(self, offsets: range) -> IPv4Address | None:
        start = self._chance.randrange(len(offsets)) if offsets else 0
        for offset in _around(offsets, start):
            address = self.network.network_address + offset
            if self.hold(address):
                return address
        return None


class PortPool:
    """Node ports; inclusive bounds."""

    def __init__(self, bounds: tuple[int, int], chance: random.Random) -> None:
        self.bounds = bounds
        self._chance = chance
        self._held: set[int] = set()

    def contains(self, port: int) -> bool:
        return self.bounds[0] <= port <= self.bounds[1]

    def hold(self, port: int) -> bool:
        if port in self._held:
            return False
        self._held.add(port)
        return True

    def take(self) -> int:
        ports = range(self.bounds[0], self.bounds[1] + 1)
        for port in _around(ports, self._chance.randrange(len(ports))):
            if self.hold(port):
                return port
        raise PoolExhaustedError(f"no node port in {self.bounds[0]}-{self.bounds[1]} is free")

    def release(self, port: int) -> None:
        self._held.discard(port)


def _around(numbers: range, start: int) -> Iterable[int]:
    yield from numbers[start:]
    yield from numbers[:start]
