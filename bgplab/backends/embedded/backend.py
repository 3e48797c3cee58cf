"""The embedded backend: hosts are namespaces of this machine, the cluster is in-process."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bgplab.backends.embedded.ending import down
from bgplab.backends.embedded.starting import DEFAULT_GRACE_SECONDS, Starting
from bgplab.backends.registry import Say
from bgplab.lab import directory as labs

if TYPE_CHECKING:  # who begins ahead has not read the description yet
    from bgplab.backends.embedded import launch
    from bgplab.spec.model import LabSpec


class EmbeddedLab:
    """One embedded lab, owned through its lease. One that somebody keeps is not the caller's to take down."""

    def __init__(self, started: launch.Started) -> None:
        self._name = started.record.name
        self._lease = started.lease
        self.access = labs.access_to(started.record)
        self.already = started.already
        self.ours = not (started.already and self._lease.lab_is_kept())

    def keep(self) -> None:
        self._lease.keep()

    def release(self) -> None:
        self._lease.release()

    def down(self) -> None:
        self._lease.release()
        down(self._name)


class EmbeddedBackend:
    """grace_seconds: how long a lab outlives an owner that vanished; a retry can take it up again."""

    def __init__(self, grace_seconds: float = DEFAULT_GRACE_SECONDS) -> None:
        self._grace_seconds = grace_seconds
        self._ahead: Starting | None = None

    @contextlib.contextmanager
    def ahead(self) -> Iterator[None]:
        self._ahead = Starting()
        try:
            yield
        finally:
            self._ahead.kill()  # unless `up` has made a lab of it
            self._ahead = None

    def up(self, spec: LabSpec, name: str, *, holder: str, say: Say) -> EmbeddedLab:
        from bgplab.backends.embedded import launch

        grace, ahead = self._grace_seconds, self._ahead
        return EmbeddedLab(launch.up(spec, name, holder=holder, grace_seconds=grace, say=say, ahead=ahead))

    def plan(self, spec: LabSpec, name: str) -> list[str]:
        return [shlex.join(["bgp-lab", "up", "--lab", spec.name, "--name", name])]
