"""What the fixtures hand to a test: a running server, and what kubectl said."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kube_api import Api
from kube_certificates import Pair
from kube_runtime import FakeRuntime

from bgplab.backends.embedded.kube import KubeServer

TOKEN = "a-token-for-tests"


@dataclass(frozen=True)
class Running:
    """A server that serves, and how to reach it."""

    server: KubeServer
    port: int
    runtime: FakeRuntime
    loop: asyncio.AbstractEventLoop
    pairs: dict[str, Pair]

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.pairs["ca"].cert))

    def api(self, token: str | None = TOKEN) -> Api:
        return Api(self.port, self.context(), token)


@dataclass(frozen=True)
class Output:
    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)

    def rows(self) -> list[list[str]]:
        """The table's lines without its head, split at blanks."""
        return [line.split() for line in self.out.splitlines()[1:]]


Kubectl = Callable[..., Output]
