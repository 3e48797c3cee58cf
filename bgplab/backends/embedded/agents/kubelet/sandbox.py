"""One pod's sandbox: the namespaces it runs in, its processes, and what is known of its containers."""

from __future__ import annotations

import itertools
import os
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from pathlib import Path

from bgplab.backends.embedded.agents.kubelet.container_log import open_log
from bgplab.backends.embedded.agents.kubelet.status import ContainerView, now
from bgplab.backends.embedded.hosts.switchboard import Host, Process
from bgplab.errors import LabError

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a pod runs. `own_host`: it has namespaces of its own (a hostNetwork pod borrows its node's)."""

    namespace: str
    name: str
    uid: str
    node: str
    host: Host
    address: IPv4Address
    own_host: bool
    interface: str | None = None


class Sandbox:
    """Containers of one pod as processes in its host. Thread-safe."""

    def __init__(self, placement: Placement, changed: Callable[[], None]) -> None:
        self.placement = placement
        self._changed = changed
        self._lock = threading.Lock()
        self._views: dict[str, ContainerView] = {}
        self._processes: dict[str, Process] = {}
        self._closing = False

    @property
    def views(self) -> list[ContainerView]:
        with self._lock:
            return list(self._views.values())

    def log_of(self, container: str) -> Path:
        return self.placement.host.shared / f"{self.placement.uid}-{container}.log"

    def cannot_run(self, container: str, image: str, reason: str, message: str) -> None:
        self._set(ContainerView(container, image, "", waiting=reason, message=message))

    def run_nothing(self, container: str, image: str) -> None:
        """A container without a process of its own: what it does, the node's agents do."""
        self._set(ContainerView(container, image, self._number(), started=now()))

    def run(self, container: str, image: str, argv: Sequence[str], env: dict[str, str]) -> None:
        """Start a container's process; when it ends, its view says so and `changed` is called."""
        before = self._views.get(container)
        restarts = before.restarts + 1 if before and before.started else 0
        log = open_log(self.log_of(container))
        try:
            process = self.placement.host.spawn(argv, env=env, stdout=log, stderr=log)
        except LabError as fault:
            self.cannot_run(container, image, "RunContainerError", str(fault))
            return
        finally:
            os.close(log)
        with self._lock:
            self._processes[container] = process
            self._views[container] = ContainerView(container, image, self._number(), started=now(), restarts=restarts)
        process.exited.add_done_callback(
            lambda done: self._ended(container, process, done.exception() is None and done.result())
        )

    def _ended(self, container: str, process: Process, status: int | bool) -> None:
        with self._lock:
            if self._closing or self._processes.get(container) is not process:
                return
            self._views[container] = replace(self._views[container], exit_status=int(status), finished=now())
        self._changed()

    def stop(self, grace_seconds: float) -> None:
        """SIGTERM, the grace, SIGKILL; then the namespaces go."""
        with self._lock:
            self._closing = True
            processes = list(self._processes.values())
        try:
            for process in processes:
                process.kill(signal.SIGTERM)
            for process in processes:
                if process.wait(grace_seconds) is None:
                    process.kill(signal.SIGKILL)
        except LabError:
            pass  # the host is gone, and its processes with it
        if self.placement.own_host:
            self.placement.host.close()

    def _set(self, view: ContainerView) -> None:
        with self._lock:
            self._views[view.name] = view

    @staticmethod
    def _number() -> str:
        return f"{next(_numbers):064x}"
