"""Make a lab's hosts: plans for their inits, and the machine's side of the wiring."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bgplab.backends.embedded.hosts.init import HostPlan
from bgplab.backends.embedded.hosts.root import RootPlan
from bgplab.backends.embedded.hosts.switchboard import START_TIMEOUT_SECONDS, Host, Shared, Switchboard

TOOLS = Path(__file__).parent / "tools"


class HostMaker:
    """Knows the userland and where things lie; makes hosts and pods alike.

    programs: directory that hosts see as /opt/bgp-lab.
    """

    def __init__(self, switchboard: Switchboard, userland: Path, shared: Shared, programs: Path) -> None:
        self._switchboard = switchboard
        self._userland = userland
        self._shared = shared
        self._programs = programs

    def make(self, name: str, sysctls: Mapping[str, str], files: Mapping[str, str], *, directory: str = "") -> Host:
        """Start making a host; wait for its `ready`. `directory` names its shared directory when `name` cannot."""
        shared = self._shared.of(directory or name)
        root = RootPlan(
            hostname=name,
            userland=str(self._userland),
            tools=str(TOOLS),
            programs=str(self._programs),
            shared=str(shared),
            files=dict(files),
        )
        return self._switchboard.make(HostPlan(root, dict(sysctls)), shared)

    def lab_command(self, *argv: str) -> list[str]:
        """A program of the userland run outside any host, in the lab's own namespace, with the userland's libraries."""
        loader = next((self._userland / "usr/lib64").glob("ld-linux-*.so.*"), None) or next(
            (self._userland / "usr/lib").rglob("ld-linux-*.so.*")
        )
        libraries = [str(path) for path in (self._userland / "usr/lib").glob("*-linux-gnu")]
        return [str(loader), "--library-path", ":".join(libraries), str(self._userland / argv[0]), *argv[1:]]


def wait_ready(hosts: list[Host]) -> None:
    """Until every host can run commands. Raises LabError naming one that cannot be made."""
    for host in hosts:
        host.ready.result(START_TIMEOUT_SECONDS)


def side_by_side(workers: int = 8) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, thread_name_prefix="hosts")
