"""The embedded backend: hosts are namespaces of this machine, the cluster is in-process."""

from __future__ import annotations

import shlex

from bgplab.backends.embedded import launch
from bgplab.backends.registry import Say
from bgplab.lab import directory as labs
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
        launch.down(self._name)


class EmbeddedBackend:
    """grace_seconds: how long a lab outlives an owner that vanished; a retry can take it up again."""

    def __init__(self, grace_seconds: float = launch.DEFAULT_GRACE_SECONDS) -> None:
        self._grace_seconds = grace_seconds

    def up(self, spec: LabSpec, name: str, *, holder: str, say: Say) -> EmbeddedLab:
        return EmbeddedLab(launch.up(spec, name, holder=holder, grace_seconds=self._grace_seconds, say=say))

    def plan(self, spec: LabSpec, name: str) -> list[str]:
        return [shlex.join(["bgp-lab", "up", "--lab", spec.name, "--name", name])]
