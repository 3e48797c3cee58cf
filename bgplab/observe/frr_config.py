"""A router's configuration: running (`show running-config`) and as it would start (`/etc/frr/frr.conf`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from bgplab.errors import CommandFailed
from bgplab.lab.shell import Shell
from bgplab.observe.frr_bgp import vtysh
from bgplab.observe.side_by_side import by_name

STARTUP_FILE = "/etc/frr/frr.conf"
_MEMBER = re.compile(r"neighbor (\d+\.\d+\.\d+\.\d+) (?:peer-group|remote-as) \S+")


@dataclass(frozen=True, slots=True)
class FrrConfig:
    """version: from its first line. asn: of its `router bgp`, None without. bgp_lines: in that block, stripped."""

    version: str | None
    asn: int | None
    bgp_lines: tuple[str, ...]

    @property
    def neighbors(self) -> set[IPv4Address]:
        return {IPv4Address(found[1]) for line in self.bgp_lines if (found := _MEMBER.fullmatch(line))}


@dataclass(frozen=True, slots=True)
class RunningConfigs:
    by_router: Mapping[str, FrrConfig]


@dataclass(frozen=True, slots=True)
class StartupConfigs:
    """A router without a startup file has an empty configuration here."""

    by_router: Mapping[str, FrrConfig]


def read_running_config(router: Shell) -> FrrConfig:
    return parse_config(router.run(vtysh("show running-config")).stdout)


def read_startup_config(router: Shell) -> FrrConfig:
    try:
        return parse_config(router.read(STARTUP_FILE).decode())
    except CommandFailed:
        return FrrConfig(None, None, ())


def read_running_configs(routers: Mapping[str, Shell]) -> RunningConfigs:
    return RunningConfigs(by_name(read_running_config, routers))


def read_startup_configs(routers: Mapping[str, Shell]) -> StartupConfigs:
    return StartupConfigs(by_name(read_startup_config, routers))


def parse_config(text: str) -> FrrConfig:
    version = re.search(r"^frr version (\S+)", text, re.M)
    block = re.search(r"^router bgp (\d+)\n((?:[ !].*\n|\n)*)", text + "\n", re.M)
    lines = [line.strip() for line in block[2].splitlines()] if block else []
    return FrrConfig(
        version[1] if version else None,
        int(block[1]) if block else None,
        tuple(line for line in lines if line and not line.startswith("!")),
    )
