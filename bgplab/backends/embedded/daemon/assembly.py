"""Put a lab together on its hosts: clusters, then SSH."""

from __future__ import annotations

import asyncio
import socket

from bgplab.backends.embedded.daemon.cluster import ClusterAssembly
from bgplab.backends.embedded.daemon.hosts import LabHosts
from bgplab.backends.embedded.daemon.line import Line, Report
from bgplab.backends.embedded.daemon.settings import ClusterSettings, Settings
from bgplab.errors import LabError


class Assembly:
    """Owns what makes up the lab; everything lives until the daemon's process ends."""

    def __init__(self, settings: Settings, hosts: LabHosts, line: Line, report: Report) -> None:
        self._settings, self._hosts, self._line, self._report = settings, hosts, line, report
        self._ssh_keys: tuple[str, str] = ("", "")

    async def bring_up(self) -> None:
        loop = asyncio.get_running_loop()
        given = await loop.run_in_executor(None, self._line.receive)
        if given is None:
            raise LabError("whoever started the lab has gone")
        # read now: a lab that is ready needs nothing of its directory any more
        host_key, client_key = (self._settings.directory / name for name in ("ssh_host_key", "ssh_key"))
        self._ssh_keys = host_key.read_text(), client_key.read_text()
        clusters = [
            ClusterAssembly(number, ClusterSettings.of(one), self._settings, self._hosts.maker)
            for number, one in enumerate(given["clusters"])
        ]
        for cluster in clusters:
            await cluster.serve()
        hosts = await asyncio.wrap_future(self._hosts.wired)
        agents = [loop.run_in_executor(None, cluster.start_agents, hosts) for cluster in clusters]
        await asyncio.wrap_future(self._hosts.routing)
        routers = f", FRR runs on {len(self._settings.routers)}" if self._settings.routers else ""
        self._report.phase(f"{len(hosts)} hosts are wired{routers}")
        for each in agents:
            await each
        self._report.phase("the cluster's API, controllers and agents run")

    async def serve_ssh(self) -> None:
        """Serve SSH to every host. Callers have waited in the listening sockets' backlog, and none was refused."""
        # the heaviest library of all, and nobody can need it before the lab is ready
        from bgplab.backends.embedded.hosts import ssh

        hosts, keys = self._hosts.wired.result(), ssh.SshKeys(*self._ssh_keys)
        for name, descriptor in self._settings.sockets.ssh.items():
            await ssh.listen(hosts[name], socket.socket(fileno=descriptor), keys)
