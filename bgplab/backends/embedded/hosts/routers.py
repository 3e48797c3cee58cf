"""FRR on a router: the service's start."""

from __future__ import annotations

from bgplab.backends.embedded.hosts.switchboard import Host


def start_router(host: Host) -> None:
    """Start FRR by its own init script. Raises CommandFailed with what the service said."""
    host.run(["systemctl", "start", "frr"], timeout=60)
