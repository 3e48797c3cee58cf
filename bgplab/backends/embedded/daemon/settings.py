"""What the launcher tells the daemon: first what its hosts are, then, when that is made, what its clusters are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bgplab.backends.embedded.plan import ClusterPlan
from bgplab.backends.embedded.wiring.plan import Wiring


@dataclass(frozen=True, slots=True)
class Sockets:
    """Listening sockets on this machine's loopback, bound before the lab's namespaces were entered.

    kube: cluster name → descriptor. ssh: host name → descriptor. control: a unix socket in the state directory.
    """

    kube: dict[str, int]
    ssh: dict[str, int]
    control: int

    @property
    def all(self) -> list[int]:
        return [*self.kube.values(), *self.ssh.values(), self.control]

    def received(self, descriptors: Sequence[int]) -> Sockets:
        """The same sockets by the numbers under which they arrived, in the order of `all`."""
        numbers = iter(descriptors)
        return Sockets(
            {name: next(numbers) for name in self.kube}, {name: next(numbers) for name in self.ssh}, next(numbers)
        )


@dataclass(frozen=True, slots=True)
class Settings:
    """Enough to make hosts. grace_seconds: how long an unowned lab stays. routers: name → files of its own root."""

    state: str
    userland: str
    grace_seconds: float
    sockets: Sockets
    wiring: Wiring
    routers: dict[str, dict[str, str]]

    @classmethod
    def of(cls, given: dict[str, Any], descriptors: Sequence[int]) -> Settings:
        """From JSON, and the descriptors that came with it."""
        sockets = Sockets(**given["sockets"]).received(descriptors)
        return cls(**{**given, "sockets": sockets, "wiring": Wiring.of(given["wiring"])})

    @property
    def directory(self) -> Path:
        return Path(self.state)


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """One cluster, once the lab's keys and certificates are in its directory.

    token: the administrator's bearer token. seeds: what is in the cluster from the start.
    """

    plan: ClusterPlan
    token: str
    seeds: list[dict[str, Any]]

    @classmethod
    def of(cls, given: dict[str, Any]) -> ClusterSettings:
        """From JSON."""
        return cls(ClusterPlan.of(given["plan"]), given["token"], given["seeds"])
