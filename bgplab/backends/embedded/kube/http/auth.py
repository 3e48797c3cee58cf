"""Who may talk to the server: holders of the token, and of a certificate by the clients' authority."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from starlette.requests import HTTPConnection

from bgplab.backends.embedded.kube.errors import forbidden

OPEN_PATHS = frozenset({"/healthz", "/livez", "/readyz", "/version"})


def is_allowed(connection: HTTPConnection, token: str) -> bool:
    """TLS has already refused certificates of other authorities."""
    if connection.url.path.rstrip("/") in OPEN_PATHS:
        return True
    if client_certificate(connection):
        return True
    scheme, _, given = connection.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())


def refuse_impersonation(connection: HTTPConnection) -> None:
    """Raises 403: there is one user here, and an answer as that one would not be the asked one's (`kubectl --as`)."""
    asked = {name: value for name, value in connection.headers.items() if name.startswith("impersonate-")}
    if asked:
        name = asked.get("impersonate-user", next(iter(asked.values())))
        raise forbidden("users", "", name, "this server has one user and cannot impersonate others")


def client_certificate(connection: HTTPConnection) -> Mapping[str, object]:
    """The client's certificate as the protocol class noted it (see serving.py); empty when there is none."""
    return connection.scope.get("state", {}).get("client_certificate") or {}
