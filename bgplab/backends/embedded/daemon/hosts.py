"""The lab's hosts: made, wired, their routers started. Begun before the daemon loads the rest: it needs little."""

from __future__ import annotations

import functools
import os
import socket
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from bgplab.backends.embedded.daemon.home import Home
from bgplab.backends.embedded.daemon.line import Line
from bgplab.backends.embedded.daemon.settings import Settings
from bgplab.backends.embedded.hosts import kernel
from bgplab.backends.embedded.hosts.making import HostMaker, side_by_side, wait_ready
from bgplab.backends.embedded.hosts.routers import start_router
from bgplab.backends.embedded.hosts.switchboard import Host, Shared, Switchboard
from bgplab.backends.embedded.wiring.apply import connect_hosts, make_bridges

#: The lab's private /run (see pid1.py): short paths for unix sockets.
RUN = Path("/run/lab")
PROGRAMS = Path(__file__).parents[1] / "agents" / "programs" / "files"


class LabHosts:
    """What becomes of the launcher's first words, in a thread of its own; each of these comes after the one before.

    settings: what the launcher said. home: the lab's directory. wired: all hosts by name, once they can reach each
    other. routing: when FRR runs.
    """

    def __init__(self, line: Line, requests: socket.socket) -> None:
        self._line, self._requests = line, requests
        thread = ThreadPoolExecutor(1, thread_name_prefix="making")
        self.settings: Future[Settings] = thread.submit(self._hear)
        self.home: Future[Home] = thread.submit(lambda: Home(self.settings.result().directory))
        self.wired: Future[dict[str, Host]] = thread.submit(self._make)
        self.routing: Future[None] = thread.submit(self._start_routers)
        thread.shutdown(wait=False)

    @functools.cached_property
    def maker(self) -> HostMaker:
        settings = self.settings.result()
        return HostMaker(Switchboard(self._requests), Path(settings.userland), Shared(RUN), PROGRAMS)

    def _hear(self) -> Settings:
        given = self._line.receive()
        if given is None:
            os._exit(1)  # nobody wants a lab any more
        *sockets, log = self._line.descriptors
        for descriptor in (1, 2):
            os.dup2(log, descriptor)
        settings = Settings.of(given, sockets)
        kernel.set_process_title(f"bgplab.backends.embedded.daemon.main {settings.state}")
        return settings

    def _make(self) -> dict[str, Host]:
        settings, maker = self.settings.result(), self.maker
        wiring = settings.wiring
        hosts = {
            plan.name: maker.make(plan.name, plan.sysctls, settings.routers.get(plan.name, {})) for plan in wiring.hosts
        }
        ip = maker.lab_command("usr/bin/ip")
        make_bridges(wiring, ip)
        wait_ready(list(hosts.values()))
        connect_hosts(wiring, hosts, ip)
        return hosts

    def _start_routers(self) -> None:
        hosts, routers = self.wired.result(), self.settings.result().routers
        with side_by_side() as pool:
            list(pool.map(lambda name: start_router(hosts[name]), routers))
