"""Who may talk to the server: holders of the token, and of a certificate by the clients' authority."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from starlette.requests import HTTPConnection

OPEN_PATHS = frozenset({"/healthz", "/livez", "/readyz", "/version"})


def is_allowed(connection: HTTPConnection, token: str) -> bool:
    """TLS has already refused certificates of other authorities."""
    if connection.url.path.rstrip("/") in OPEN_PATHS:
        return True
    if client_certificate(connection):
        return True
    scheme, _, given = connection.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())


def client_certificate(connection: HTTPConnection) -> Mapping[str, object]:
    """The client's certificate as the protocol class noted it (see serving.py); empty when there is none."""
    return connection.scope.get("state", {}).get("client_certificate") or {}
