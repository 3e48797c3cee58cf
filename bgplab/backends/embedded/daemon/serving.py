"""The daemon from the moment its hosts are begun: bring the clusters up, say so, and serve until the lab shall end."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

from bgplab.backends.embedded.daemon.assembly import Assembly
from bgplab.backends.embedded.daemon.failing import give_up
from bgplab.backends.embedded.daemon.home import Home
from bgplab.backends.embedded.daemon.hosts import LabHosts
from bgplab.backends.embedded.daemon.lease import ControlServer, Leases
from bgplab.backends.embedded.daemon.line import Line, Report
from bgplab.backends.embedded.daemon.settings import Settings

HOME_SECONDS = 1.0

logger = logging.getLogger("bgplab.daemon")


def serve(hosts: LabHosts, line: Line, report: Report) -> None:
    """Until somebody says `down`, or the lab has lost its owner or its directory, or it cannot start."""
    settings, home = hosts.settings.result(), hosts.home.result()
    asyncio.run(_Daemon(settings, home, report).run(Assembly(settings, hosts, line, report)))


class _Daemon:
    def __init__(self, settings: Settings, home: Home, report: Report) -> None:
        self._settings, self._home, self._report = settings, home, report
        self._over = threading.Event()

    async def run(self, assembly: Assembly) -> None:
        try:
            await self._run(assembly)
        except Exception as fault:  # here and not outside: asyncio.run would first wait for every thread
            give_up(fault, self._home, self._report)

    async def _run(self, assembly: Assembly) -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(64, thread_name_prefix="work"))
        await assembly.bring_up()
        leases = Leases(self._settings.grace_seconds, self._end)
        ControlServer(socket.socket(fileno=self._settings.sockets.control), leases, self._end).start()
        leases.begin()
        self._report.ready()
        await assembly.serve_ssh()
        gc.freeze()
        gc.enable()
        await loop.run_in_executor(None, self._watch_home)

    def _end(self, why: str) -> None:
        """End the lab: PID 1 sees the daemon go and the kernel takes the rest."""
        logger.info("the lab ends: %s", why)
        self._home.remove()
        os._exit(0)

    def _watch_home(self) -> None:
        """A lab whose directory is gone can neither be reached nor taken down any more: it ends."""
        while not self._over.wait(HOME_SECONDS):
            if not self._home.is_there():
                self._end("its directory is gone")
