"""HTTP to a Kubernetes API server: JSON in, JSON or a byte stream out, refusals as ApiError.

It leaves out the `kubernetes` library's generated models: they cost more time than the request itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import urllib3
from urllib3.exceptions import HTTPError

from bgplab.errors import LabError
from bgplab.lab.cluster import ApiError
from bgplab.lab.kubernetes_access import ApiAccess

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0

# A pooled connection that the server has closed meanwhile is only noticed on use; urllib3 repeats the methods that may
# be repeated (not POST, not PATCH).
RETRIES = urllib3.Retry(total=2, redirect=0, status=0, backoff_factor=0.05)


def body_as_status(body: bytes, code: int) -> dict[str, Any]:
    """The `Status` in an answer, or one made up around what a proxy or a broken server said instead."""
    try:
        status = json.loads(body)
    except ValueError:
        status = None
    if isinstance(status, dict) and status.get("kind") == "Status":
        return status
    return {"kind": "Status", "status": "Failure", "code": code, "message": body.decode(errors="replace")[:400]}


class Transport:
    """Requests to one API server; safe to share between threads."""

    def __init__(self, access: ApiAccess, name: str) -> None:
        self.access = access
        self._name = name

    def json(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        """One request. Raises ApiError on a refusal, LabError when the server cannot be reached."""
        answer = self._request(method, path, query, body, content_type)
        return json.loads(answer.data)

    def text(self, path: str, *, query: Mapping[str, str] | None = None) -> str:
        return self._request("GET", path, query, None, "application/json").data.decode(errors="replace")

    def stream(self, path: str, *, query: Mapping[str, str], read_seconds: float) -> urllib3.BaseHTTPResponse:
        """An open answer to read from; `read_seconds` is the longest silence borne. Errors as in `json`."""
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=read_seconds)
        return self._request("GET", path, query, None, "application/json", timeout=timeout, whole=False)

    def close(self) -> None:
        """Give idle connections back; later requests open new ones."""
        manager = self.access.pool
        for key in manager.pools.keys():  # noqa: SIM118 - not a mapping
            manager.pools[key].close()  # `clear` alone leaves it to the garbage collector
        manager.clear()

    def url(self, path: str) -> str:
        return f"{self.access.server}{path}"

    def unreachable(self, path: str, fault: Exception) -> LabError:
        return LabError(
            f"cluster {self._name}: {self.url(path)} does not answer: {fault}\n"
            "  do:  see that the lab is up (`bgp-lab list`) and that the kubeconfig's server address is right"
        )

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Any,
        content_type: str,
        *,
        timeout: urllib3.Timeout | None = None,
        whole: bool = True,
    ) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": "application/json", "User-Agent": "bgp-lab", **self.access.headers()}
        if body is not None:
            headers["Content-Type"] = content_type
        try:
            answer = self.access.pool.request(
                method,
                self.url(path) + (f"?{urlencode(query)}" if query else ""),
                body=None if body is None else json.dumps(body).encode(),
                headers=headers,
                timeout=timeout or urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
                retries=RETRIES,
                preload_content=whole,
            )
            if answer.status >= 400:
                raise ApiError(f"{method} {path}", answer.status, body_as_status(answer.data, answer.status))
        except HTTPError as fault:
            raise self.unreachable(path, fault) from fault
        return answer
