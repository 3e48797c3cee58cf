"""A client of one etcd: requests and one watch over HTTP/1.1 connections that the caller dials."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bgplab.backends.embedded.agents.mesh import etcd_messages as messages
from bgplab.backends.embedded.agents.mesh.etcd_messages import EtcdError, Listing, WatchAnswer
from bgplab.backends.embedded.agents.mesh.mutual_tls import alert_of, reason_of

REQUEST_TIMEOUT_SECONDS = 5.0

#: Opens a connection to the etcd: in whatever network namespace, with or without TLS. Raises OSError.
Dial = Callable[[], socket.socket]


class _Connection(http.client.HTTPConnection):
    """HTTP over a socket that somebody else opens."""

    def __init__(self, dial: Dial) -> None:
        super().__init__("etcd", timeout=REQUEST_TIMEOUT_SECONDS)
        self._dial = dial

    def connect(self) -> None:
        self.sock = self._dial()
        self.sock.settimeout(REQUEST_TIMEOUT_SECONDS)


class EtcdClient:
    """Everything over one connection, opened on first use; a watch takes it over for good.

    One thread uses it; `interrupt` may come from any. Every call raises EtcdError, after which the client is of no use.
    """

    def __init__(self, dial: Dial) -> None:
        self._connection = _Connection(dial)
        self._closed = threading.Event()

    def listing(self, prefix: str) -> Listing:
        """All keys that start with `prefix`."""
        return messages.listing_of(self._ask("/v3/kv/range", messages.range_request(prefix)))

    def put(self, key: str, value: str, lease: int = 0) -> None:
        self._ask("/v3/kv/put", messages.put_request(key, value, lease))

    def delete(self, key: str) -> None:
        """Delete a key; one that is not there is fine."""
        self._ask("/v3/kv/deleterange", messages.delete_request(key))

    def grant_lease(self, seconds: int) -> int:
        """A lease's number: keys put with it go when nobody has kept it alive for so long."""
        return int(self._ask("/v3/lease/grant", {"TTL": str(seconds)})["ID"])

    def keep_alive(self, lease: int) -> None:
        """Let a lease begin anew. Raises EtcdError when it has ended."""
        answer = self._ask("/v3/lease/keepalive", {"ID": str(lease)})["result"]
        if int(answer.get("TTL", 0)) <= 0:
            raise EtcdError(f"lease {lease:x} has ended")

    def cluster_id(self) -> int:
        return messages.cluster_id_of(self._ask("/v3/maintenance/status", {}))

    def watch(self, prefix: str, since: int) -> Iterator[WatchAnswer]:
        """What happens to keys that start with `prefix`, from revision `since` on; ends by EtcdError.

        The first answer, without changes, says that the watch stands.
        """
        response = self._send("/v3/watch", messages.watch_request(prefix, since))
        if self._connection.sock is not None:
            self._connection.sock.settimeout(None)
        while True:
            try:
                line = response.readline()
            except (OSError, http.client.HTTPException) as fault:
                raise self._lost(fault) from fault
            if not line:
                raise EtcdError("the connection was closed")
            yield messages.watch_answer_of(json.loads(line))

    def interrupt(self) -> None:
        """Have the thread that uses the client get an EtcdError now. From any thread; that one then closes."""
        self._closed.set()
        connected = self._connection.sock
        if connected is not None:
            with contextlib.suppress(OSError):  # the other side was faster
                # not SSLSocket's own, which takes the cipher away from under the reader
                socket.socket.shutdown(connected, socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the connection back; by the thread that used it."""
        self._closed.set()
        self._connection.close()

    def _ask(self, path: str, request: Mapping[str, Any]) -> dict[str, Any]:
        response = self._send(path, request)
        try:
            body = response.read()
        except (OSError, http.client.HTTPException) as fault:
            raise self._lost(fault) from fault
        # a stream's answer comes as lines, of which such calls have one
        return dict(json.loads(body.splitlines()[0] if body else b"{}"))

    def _send(self, path: str, request: Mapping[str, Any]) -> http.client.HTTPResponse:
        if self._closed.is_set():
            raise EtcdError("the connection was closed")
        try:
            self._write(path, json.dumps(request))
            response = self._connection.getresponse()
            if response.status != http.client.OK:
                raise EtcdError(f"etcd refused {path}: {_words(response.read())}")
        except (OSError, http.client.HTTPException) as fault:
            raise self._lost(fault) from fault
        return response

    def _write(self, path: str, body: str) -> None:
        try:
            self._connection.request("POST", path, body, {"Content-Type": "application/json"})
        except OSError as fault:
            raise alert_of(self._connection.sock, fault) from fault

    def _lost(self, fault: Exception) -> EtcdError:
        return EtcdError("the connection was closed" if self._closed.is_set() else reason_of(fault))


def _words(body: bytes) -> str:
    try:
        return messages.refusal_of(json.loads(body))
    except ValueError:
        return body.decode(errors="replace").strip()[:200]
