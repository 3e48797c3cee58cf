"""One pod's sandbox: the namespaces it runs in, its processes, and what is known of its containers."""

from __future__ import annotations

import itertools
import os
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from pathlib import Path

from bgplab.backends.embedded.agents.kubelet.container_log import open_log
from bgplab.backends.embedded.agents.kubelet.status import ContainerView, now
from bgplab.backends.embedded.hosts.switchboard import Host, Process
from bgplab.errors import LabError

BACK_OFF = "CrashLoopBackOff"
KILL_SECONDS = 5.0

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


@dataclass(frozen=True, slots=True)
class Setup:
    """What every process of a container finds: those that exec starts, too."""

    environment: dict[str, str] = field(default_factory=dict)
    directory: str = "/root"


class Sandbox:
    """Containers of one pod as processes in its host. Thread-safe."""

    def __init__(self, placement: Placement, changed: Callable[[], None]) -> None:
        self.placement = placement
        self._changed = changed
        self._lock = threading.Lock()
        self._views: dict[str, ContainerView] = {}
        self._processes: dict[str, Process] = {}
        self._setups: dict[str, Setup] = {}
        self._closing = False

    @property
    def views(self) -> list[ContainerView]:
        with self._lock:
            return list(self._views.values())

    @property
    def closing(self) -> bool:
        """The pod is going: what its processes do now is nobody's business."""
        return self._closing

    def setup_of(self, container: str) -> Setup:
        return self._setups.get(container, Setup())

    def log_of(self, container: str, *, previous: bool = False) -> Path | None:
        """What the container wrote since it was last started, or the time before; None when there was none."""
        with self._lock:
            view = self._views.get(container)
        if view is None:
            return self._log(container, 0)
        # while it waits to run again, what it wrote before is both (as kubelet has it)
        number = view.restarts - int(previous and view.waiting != BACK_OFF)
        return self._log(container, number) if number >= 0 else None

    def cannot_run(self, container: str, image: str, reason: str, message: str) -> None:
        with self._lock:
            seen = self._views.get(container)
            self._views[container] = ContainerView(
                container, image, "", waiting=reason, message=message, restarts=seen.restarts if seen else 0
            )

    def set_health(self, container: str, number: str, started: bool, ready: bool) -> None:
        """What the probes of this start of a container have found; `changed` is called."""
        with self._lock:
            view = self._views.get(container)
            if self._closing or view is None or view.number != number:
                return
            self._views[container] = replace(view, started_up=started, healthy=ready)
        self._changed()

    def back_off(self, container: str, message: str) -> None:
        """It has ended and is to run again, but not yet."""
        with self._lock:
            self._views[container] = replace(self._views[container], waiting=BACK_OFF, message=message)

    def run_nothing(self, container: str, image: str) -> None:
        """A container without a process of its own: what it does, the node's agents do."""
        with self._lock:
            self._views[container] = ContainerView(container, image, self._number(), started=now())

    def run(
        self, container: str, image: str, argv: Sequence[str], setup: Setup, *, started_up: bool = True,
        healthy: bool = True,
    ) -> str | None:  # fmt: skip
        """Start a container's process; when it ends, its view says so and `changed` is called. Or why it cannot run."""
        seen = self._views.get(container)
        restarts = seen.restarts + int(seen.started is not None) if seen else 0
        before = replace(seen, before=None, waiting=None) if seen and seen.exit_status is not None else None
        self._log(container, restarts - 2).unlink(missing_ok=True)
        log = open_log(self._log(container, restarts))
        try:
            process = self.placement.host.spawn(
                argv, env=setup.environment, stdout=log, stderr=log, cwd=setup.directory
            )
        except LabError as fault:
            self.cannot_run(container, image, "RunContainerError", str(fault))
            return str(fault)
        finally:
            os.close(log)
        with self._lock:
            self._processes[container] = process
            self._setups[container] = setup
            self._views[container] = ContainerView(
                container, image, self._number(), started=now(), restarts=restarts, before=before,
                started_up=started_up, healthy=healthy,
            )  # fmt: skip
        process.exited.add_done_callback(
            lambda done: self._ended(container, process, done.exception() is None and done.result())
        )
        return None

    def end(self, container: str, grace_seconds: float) -> None:
        """Stop one container's process, if it runs: SIGTERM, the grace, SIGKILL."""
        process = self._processes.get(container)
        if process is None:
            return
        process.kill(signal.SIGTERM)
        if process.wait(grace_seconds) is None:
            process.kill(signal.SIGKILL)
            process.wait(KILL_SECONDS)

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

    def _log(self, container: str, number: int) -> Path:
        return self.placement.host.shared / f"{self.placement.uid}-{container}-{number}.log"

    @staticmethod
    def _number() -> str:
        return f"{next(_numbers):064x}"
