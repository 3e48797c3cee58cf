"""The application: who asks, what for, and who answers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from bgplab.backends.embedded.kube.errors import ApiError, method_not_allowed, no_such_path, unauthorized
from bgplab.backends.embedded.kube.http import discovery, openapi
from bgplab.backends.embedded.kube.http.answers import json_bytes, json_value, refusal
from bgplab.backends.embedded.kube.http.auth import is_allowed, refuse_impersonation
from bgplab.backends.embedded.kube.http.negotiation import parsed_body, wants_aggregated
from bgplab.backends.embedded.kube.http.paths import target_of
from bgplab.backends.embedded.kube.http.reading import read
from bgplab.backends.embedded.kube.http.reviews import is_review, reviewed
from bgplab.backends.embedded.kube.http.writing import write
from bgplab.backends.embedded.kube.machine import Machine
from bgplab.backends.embedded.kube.runtime import PodRuntime
from bgplab.backends.embedded.kube.store.item import encode
from bgplab.backends.embedded.kube.streams.exec import refuse_spdy, serve_exec
from bgplab.backends.embedded.kube.streams.logs import serve_logs

log = logging.getLogger(__name__)

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True)
class Front:
    """What answering needs besides the machine. version: the body of `/version`."""

    machine: Machine
    token: str
    version: dict[str, str]
    runtime: PodRuntime | None


def application(front: Front) -> Starlette:
    return Starlette(routes=[Route("/{path:path}", Plain(front)), WebSocketRoute("/{path:path}", Streams(front))])


class Plain:
    """Requests over plain HTTP, as an ASGI application: any method, errors as `Status`."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._documents: dict[tuple[str, int], bytes] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except ApiError as error:
            response = refusal(error)
        except Exception as fault:
            log.exception("%s %s", request.method, request.url.path)
            response = refusal(ApiError(500, "InternalError", f"Internal error occurred: {fault}"))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path = request.url.path.rstrip("/")  # the Python client asks for /version/ and /apis/
        if not is_allowed(request, self._front.token):
            raise unauthorized()
        refuse_impersonation(request)
        if request.method not in METHODS:
            raise method_not_allowed()
        if (fixed := self._fixed(path, request.headers.get("accept", ""))) is not None:
            if request.method != "GET":
                raise method_not_allowed()
            return fixed
        if request.method == "POST" and is_review(path):
            body = parsed_body(request.headers.get("content-type", ""), await request.body())
            return json_value(reviewed(path, body), 201)
        return await self._resource(request, path)

    async def _resource(self, request: Request, path: str) -> Response:
        machine = self._front.machine
        target = target_of(machine.registry, path)
        if target.subresource == "exec":
            raise refuse_spdy(machine, target, request.query_params)
        if request.method != "GET":
            return await write(machine, target, request)
        if target.subresource == "log":
            return serve_logs(machine, target, request.query_params, self._front.runtime)
        return read(machine, target, request.query_params, request.headers.get("accept", ""))

    def _fixed(self, path: str, accept: str) -> Response | None:
        """Everything that is not an object: health, version, discovery, OpenAPI."""
        kinds = self._front.machine.registry
        if path in ("/healthz", "/livez", "/readyz") or path.startswith(("/healthz/", "/livez/", "/readyz/")):
            return PlainTextResponse("ok")
        if path == "/version":
            return json_value(self._front.version)
        if path in ("/api", "/apis"):
            return self._discovery(path, accept)
        if path == "/openapi/v2":
            return openapi.second(accept)
        if path == "/openapi/v3":
            return json_value(openapi.index(kinds))
        if path.startswith("/openapi/v3/"):
            return json_bytes(self._openapi(path.removeprefix("/openapi/v3/")))
        parts = path.strip("/").split("/")
        if parts[0] == "api" and len(parts) == 2:
            return json_value(discovery.resource_list(kinds, "", parts[1]))
        if parts[0] == "apis" and len(parts) == 3:
            return json_value(discovery.resource_list(kinds, parts[1], parts[2]))
        if parts[0] == "apis" and len(parts) == 2:
            return json_value(discovery.group(kinds, parts[1]))
        return None

    def _discovery(self, path: str, accept: str) -> Response:
        kinds = self._front.machine.registry
        if wants_aggregated(accept):
            response = json_value(discovery.aggregated(kinds, core=path == "/api"))
            response.headers["Content-Type"] = discovery.AGGREGATED_TYPE
            return response
        classic: Callable[[Any], dict[str, Any]] = discovery.api_versions if path == "/api" else discovery.group_list
        return json_value(classic(kinds))

    def _openapi(self, path: str) -> bytes:
        kinds = self._front.machine.registry
        key = (path, kinds.changes)
        if key not in self._documents:
            self._documents = {kept: body for kept, body in self._documents.items() if kept[1] == kinds.changes}
            self._documents[key] = encode(openapi.document(kinds, path))
        return self._documents[key]


class Streams:
    """WebSockets: exec. A refusal before the upgrade is an ordinary HTTP answer."""

    def __init__(self, front: Front) -> None:
        self._front = front

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = WebSocket(scope, receive, send)
        try:
            if not is_allowed(socket, self._front.token):
                raise unauthorized()
            refuse_impersonation(socket)
            target = target_of(self._front.machine.registry, socket.url.path)
            if target.subresource != "exec":
                raise no_such_path()
            await serve_exec(self._front.machine, target, socket, self._front.runtime)
        except ApiError as error:
            await socket.send_denial_response(refusal(error))
