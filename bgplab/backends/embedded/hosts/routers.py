"""FRR on a router: the configuration that the guide's VM comes with, and the service's start."""

from __future__ import annotations

from bgplab.backends.embedded.hosts.switchboard import Host
from bgplab.spec.frr import base_config
from bgplab.spec.model import Router

#: /etc/frr/daemons (FRR documentation, "Daemons Configuration File"): zebra and staticd always run.
DAEMONS = """\
bgpd=yes
vtysh_enable=yes
zebra_options="  -A 127.0.0.1 -s 90000000"
bgpd_options="   -A 127.0.0.1"
staticd_options="-A 127.0.0.1"
frr_profile="traditional"
"""


def router_files(router: Router) -> dict[str, str]:
    """Files that a router's own root gets when it is made."""
    return {"/etc/frr/frr.conf": base_config(router), "/etc/frr/daemons": DAEMONS}


def start_router(host: Host) -> None:
    """Start FRR by its own init script. Raises CommandFailed with what the service said."""
    host.run(["systemctl", "start", "frr"], timeout=60)
