"""`hostname` on every host: who answers over SSH, and as whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bgplab.errors import LabError
from bgplab.lab.shell import Shell
from bgplab.observe.side_by_side import by_name


@dataclass(frozen=True, slots=True)
class HostsAnswering:
    """hostnames: by the name the lab knows the host under. faults: why a host did not answer."""

    hostnames: Mapping[str, str]
    faults: Mapping[str, str]


def read_hosts(hosts: Mapping[str, Shell]) -> HostsAnswering:
    answers = by_name(_ask, hosts)
    return HostsAnswering(
        {name: answer for name, answer in answers.items() if isinstance(answer, str)},
        {name: str(answer) for name, answer in answers.items() if isinstance(answer, LabError)},
    )


def _ask(host: Shell) -> str | LabError:
    try:
        return host.run(["hostname"], timeout=5).stdout.strip()
    except LabError as fault:
        return fault
