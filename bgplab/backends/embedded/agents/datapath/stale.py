"""Connection tracking entries that a change of Services makes wrong: pure, from before and after to `conntrack` calls.

An established connection keeps its backend as long as that exists. What is half open or half closed does not: the
client would go on sending into a void, or a reused port would reach the old pod (facts: 2-4 of 1,200 did).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address

from bgplab.backends.embedded.agents.datapath.services import Service

#: TIME_WAIT and CLOSE are not here: the kernel itself lets a new SYN replace such an entry.
UNFINISHED_STATES = ("SYN_SENT", "SYN_RECV", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK")

Offer = tuple[IPv4Address, str, IPv4Address]
"""(virtual address, who may come: east-west or north-south, backend address) as one node serves it."""


def offers_of(services: Iterable[Service], node: str) -> frozenset[Offer]:
    """Which backends stand behind which virtual address on a node, per direction."""
    return frozenset(
        (address, direction, backend.address)
        for service in services
        for port in service.ports
        for direction, local, addresses in (
            ("east-west", service.internal_local, _all_addresses(service)),
            ("north-south", service.external_local, (*service.balancer_addresses, *service.external_addresses)),
        )
        for backend in (port.backends_on(node) if local else port.backends)
        for address in addresses
    )


def stale_calls(
    before: frozenset[Offer], after: frozenset[Offer], alive: frozenset[IPv4Address]
) -> tuple[tuple[str, ...], ...]:
    """Arguments of `conntrack`, one call each, that delete what `before` left and `after` would not make.

    alive: addresses that are still an endpoint of something; connections to others are over.
    """
    return tuple(_calls(before, after, alive))


def _calls(
    before: frozenset[Offer], after: frozenset[Offer], alive: frozenset[IPv4Address]
) -> Iterator[tuple[str, ...]]:
    removed = {backend for _, _, backend in before - after}
    for backend in sorted(removed - alive):
        yield ("-D", "--dst-nat", str(backend))
    for backend in sorted(removed & alive):
        yield ("-D", "-p", "udp", "--dst-nat", str(backend))
        for state in UNFINISHED_STATES:
            yield ("-D", "-p", "tcp", "--state", state, "--dst-nat", str(backend))
    # Who called before there was a Service has an entry that leads nowhere, and keeps using it.
    for address in sorted({address for address, _, _ in after} - {address for address, _, _ in before}):
        yield ("-D", "-p", "udp", "--orig-dst", str(address))
        yield ("-D", "-p", "tcp", "--state", "SYN_SENT", "--orig-dst", str(address))


def _all_addresses(service: Service) -> tuple[IPv4Address, ...]:
    return (*service.cluster_addresses, *service.balancer_addresses, *service.external_addresses)
