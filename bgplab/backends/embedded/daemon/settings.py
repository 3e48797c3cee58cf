"""What the launcher tells the daemon: one JSON document, plus inherited sockets by descriptor number."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


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


@dataclass(frozen=True, slots=True)
class Settings:
    """token: bearer token of the clusters' administrator. grace_seconds: how long an unowned lab stays."""

    name: str
    state: str
    userland: str
    token: str
    grace_seconds: float
    sockets: Sockets
    report: int

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Settings:
        given = json.loads(text)
        return cls(**{**given, "sockets": Sockets(**given["sockets"])})

    @property
    def directory(self) -> Path:
        return Path(self.state)
