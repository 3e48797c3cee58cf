"""The daemon of one lab, the one child of its PID 1: makes the hosts, serves SSH and the Kubernetes API, and waits.

Heavy libraries are imported while the kernel makes namespaces, so that neither waits for the other.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import socket
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bgplab.backends.embedded.daemon.lease import ControlServer, Leases
from bgplab.backends.embedded.daemon.report import Report
from bgplab.backends.embedded.daemon.settings import Settings
from bgplab.errors import BgpLabError

logger = logging.getLogger("bgplab.daemon")


def main(argv: list[str]) -> None:
    """`main SETTINGS-FILE REQUESTS-FD`: the second is the line to PID 1."""
    settings = Settings.from_json(Path(argv[0]).read_text())
    requests = socket.socket(fileno=int(argv[1]))
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    report = Report(settings.report)
    try:
        asyncio.run(Daemon(settings, requests, report).run())
    except BgpLabError as fault:
        report.failed(str(fault), fault.exit_status)
    except Exception as fault:
        traceback.print_exc()
        report.failed(f"{type(fault).__name__}: {fault} (details: {settings.state}/daemon.log)", 4)
    os._exit(1)


class Daemon:
    """Start everything in order, then serve until somebody says `down` or the lab has lost its owner."""

    def __init__(self, settings: Settings, requests: socket.socket, report: Report) -> None:
        self._settings, self._requests, self._report = settings, requests, report
        self._over = threading.Event()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(64, thread_name_prefix="work"))
        leases = Leases(self._settings.grace_seconds, self.end)
        from bgplab.backends.embedded.daemon.assembly import Assembly

        assembly = Assembly(self._settings, self._requests, self._report)
        await assembly.bring_up()
        ControlServer(socket.socket(fileno=self._settings.sockets.control), leases, self.end).start()
        leases.begin()
        self._report.ready()
        await loop.run_in_executor(None, self._over.wait)

    def end(self, why: str) -> None:
        """End the lab: PID 1 sees the daemon go and the kernel takes the rest."""
        logger.info("the lab ends: %s", why)
        shutil.rmtree(self._settings.directory, ignore_errors=True)
        os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
