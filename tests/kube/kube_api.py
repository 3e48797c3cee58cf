"""A bare HTTPS client for tests that look at status codes and bodies, and a wait on conditions."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

Seen = TypeVar("Seen")

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True)
class Reply:
    code: int
    body: Any
    headers: dict[str, str]

    @property
    def causes(self) -> dict[str, str]:
        """What a 422 complains about: field -> message."""
        return {cause["field"]: cause["message"] for cause in self.body["details"]["causes"]}


class Api:
    """Speaks to one server with a token (or without)."""

    def __init__(self, port: int, context: ssl.SSLContext, token: str | None) -> None:
        self._connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=20)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def ask(
        self, method: str, path: str, body: Any = None, kind: str = "application/json", *, raw: str = "", **headers: str
    ) -> Reply:
        """raw: what is sent as it is, in place of a body."""
        text = raw or (None if body is None else json.dumps(body))
        sent = {**self._headers, "Content-Type": kind, **{k.replace("_", "-"): v for k, v in headers.items()}}
        self._connection.request(method, path, text, sent)
        reply = self._connection.getresponse()
        raw = reply.read()
        is_json = reply.headers.get("Content-Type", "").startswith("application/json")
        headers = {name.lower(): value for name, value in reply.headers.items()}
        return Reply(reply.status, json.loads(raw) if is_json else raw.decode(), headers)

    def get(self, path: str, **headers: str) -> Reply:
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: Any) -> Reply:
        return self.ask("POST", path, body)

    def put(self, path: str, body: Any) -> Reply:
        return self.ask("PUT", path, body)

    def patch(self, path: str, body: Any, kind: str = MERGE) -> Reply:
        return self.ask("PATCH", path, body, kind)

    def delete(self, path: str, body: Any = None) -> Reply:
        return self.ask("DELETE", path, body)

    @contextmanager
    def watching(self, path: str) -> Iterator[Iterator[dict[str, Any]]]:
        """Events of a watch on a connection of its own, as they come."""
        other = http.client.HTTPSConnection(
            self._connection.host, self._connection.port, context=self._connection._context, timeout=20
        )
        try:
            other.request("GET", path, headers=self._headers)
            reply = other.getresponse()
            yield (json.loads(line) for line in reply)
        finally:
            other.close()


def eventually(look: Callable[[], Seen], holds: Callable[[Seen], bool], seconds: float = 10) -> Seen:
    """The first sight that holds. Fails with the last one."""
    end = time.monotonic() + seconds
    while True:
        seen = look()
        if holds(seen):
            return seen
        assert time.monotonic() < end, f"still {seen!r} after {seconds} s"
        time.sleep(0.02)
