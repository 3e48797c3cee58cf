"""Sockets of the daemon's that live in a host's network namespace: opened in there, used from anywhere afterwards."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

from bgplab.backends.embedded.hosts.kernel import CLONE_NEWNET, setns


def socket_in(netns: int, make: Callable[[], socket.socket]) -> socket.socket:
    """Call `make` inside the namespace that the descriptor `netns` stands for. Raises what `make` raises.

    A thread of its own goes in and ends there: a borrowed thread that could not get back would open every later
    socket in the wrong place.
    """
    made: list[socket.socket] = []
    faults: list[OSError] = []

    def inside() -> None:
        try:
            setns(netns, CLONE_NEWNET)
            made.append(make())
        except OSError as fault:
            faults.append(fault)

    thread = threading.Thread(target=inside, name="socket-in-netns")
    thread.start()
    thread.join()
    if faults:
        raise faults[0]
    return made[0]
