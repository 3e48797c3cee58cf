"""FRR told to log sessions, with microseconds, into a file of its own; and told to stop. Running configuration only."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bgplab.lab.shell import Shell
from bgplab.observe.bgp_log import BgpEvent, parse_bgp_log
from bgplab.observe.frr_bgp import vtysh

FILE = "/var/log/frr/bgp-lab-sessions.log"
_CHANGES = "bgp log-neighbor-changes"


def switch_on(asn: int) -> list[str]:
    """What is typed into vtysh, one per `-c`."""
    file = [f"log file {FILE} informational", "log timestamp precision 6"]
    return ["configure terminal", *file, f"router bgp {asn}", _CHANGES, "end"]


def switch_off(asn: int, before: str) -> list[str]:
    """Back to what the running configuration was before."""
    lines = {line.strip() for line in before.splitlines()}
    file = next((line for line in lines if line.startswith("log file ")), "no log file")
    precision = next((line for line in lines if line.startswith("log timestamp precision ")), None)
    sessions = [] if _CHANGES in lines else [f"router bgp {asn}", f"no {_CHANGES}"]
    return ["configure terminal", file, precision or "no log timestamp precision", *sessions, "end"]


@contextmanager
def sessions_logged(router: Shell, asn: int) -> Iterator[Callable[[], tuple[BgpEvent, ...]]]:
    """Within this block what FRR logs of its sessions can be read. Nothing is saved; afterwards it is as before."""
    before = router.run(vtysh("show running-config")).stdout
    offset = _seconds(router.run(["date", "+%z"]).stdout.strip())
    router.run(vtysh(*switch_on(asn)))
    try:
        yield lambda: parse_bgp_log(router.read(FILE).decode(errors="replace"), offset)
    finally:
        router.run(vtysh(*switch_off(asn, before)))
        router.run(["rm", "-f", FILE])


def _seconds(zone: str) -> int:
    """`+0130` → 5400."""
    found = re.fullmatch(r"([+-])(\d\d)(\d\d)", zone)
    if not found:
        return 0
    return (int(found[2]) * 3600 + int(found[3]) * 60) * (-1 if found[1] == "-" else 1)
