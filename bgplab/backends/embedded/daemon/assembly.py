"""Put a lab together, in the guide's order: wiring, hosts, routers, clusters, SSH."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from pathlib import Path

from bgplab.backends.embedded.agents.datapath.agent import NODE_SYSCTLS
from bgplab.backends.embedded.daemon.report import Report
from bgplab.backends.embedded.daemon.settings import Settings
from bgplab.backends.embedded.hosts.making import HostMaker, side_by_side, wait_ready
from bgplab.backends.embedded.hosts.routers import router_files, start_router
from bgplab.backends.embedded.hosts.switchboard import Host, Shared, Switchboard
from bgplab.backends.embedded.wiring.apply import connect_hosts, make_bridges
from bgplab.backends.embedded.wiring.plan import wiring_of
from bgplab.spec.model import LabSpec

logger = logging.getLogger("bgplab.daemon")

#: The lab's private /run (see pid1.py): short paths for unix sockets.
RUN = Path("/run/lab")
PROGRAMS = Path(__file__).parents[1] / "agents" / "programs" / "files"


class Assembly:
    """Owns what makes up the lab; everything lives until the daemon's process ends."""

    def __init__(self, settings: Settings, requests: socket.socket, report: Report) -> None:
        self._settings, self._report = settings, report
        self._spec = LabSpec.model_validate(json.loads((settings.directory / "spec.json").read_text()))
        self._maker = HostMaker(Switchboard(requests), Path(settings.userland), Shared(RUN), PROGRAMS)
        self.hosts: dict[str, Host] = {}

    async def bring_up(self) -> None:
        loop = asyncio.get_running_loop()
        wired = loop.run_in_executor(None, self._make_hosts)
        # heavy imports, while the kernel makes namespaces
        from bgplab.backends.embedded.daemon.cluster import ClusterAssembly
        from bgplab.backends.embedded.hosts import ssh

        clusters = [
            ClusterAssembly(number, cluster, self._spec, self._settings, self._maker)
            for number, cluster in enumerate(self._spec.clusters)
        ]
        for cluster in clusters:
            await cluster.serve()
        await wired
        routers = f", FRR runs on {len(self._spec.routers)}" if self._spec.routers else ""
        self._report.phase(f"{len(self.hosts)} hosts are wired{routers}")
        for cluster in clusters:
            await loop.run_in_executor(None, cluster.start_agents, self.hosts)
        self._report.phase("the cluster's API, controllers and agents run")
        keys = ssh.SshKeys(
            (self._settings.directory / "ssh_host_key").read_text(), (self._settings.directory / "ssh_key").read_text()
        )
        for name, descriptor in self._settings.sockets.ssh.items():
            await ssh.listen(self.hosts[name], socket.socket(fileno=descriptor), keys)

    def _make_hosts(self) -> None:
        wiring = wiring_of(self._spec)
        routers = {router.name: router_files(router) for router in self._spec.routers}
        for plan in wiring.hosts:
            sysctls = plan.sysctls if plan.name in routers else {**plan.sysctls, **NODE_SYSCTLS}
            self.hosts[plan.name] = self._maker.make(plan.name, sysctls, routers.get(plan.name, {}))
        ip = self._maker.lab_command("usr/bin/ip")
        make_bridges(wiring, ip)
        wait_ready(list(self.hosts.values()))
        connect_hosts(wiring, self.hosts, ip)
        with side_by_side() as pool:
            list(pool.map(lambda name: start_router(self.hosts[name]), routers))
