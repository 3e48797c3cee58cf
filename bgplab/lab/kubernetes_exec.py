"""`kubectl exec` over a WebSocket: argv in, exit status and output out, with a time limit.

The exit status comes on a channel of its own, as a `Status` (v4.channel.k8s.io; v5 adds closing of stdin).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from bgplab.errors import CommandFailed, LabError
from bgplab.lab.cluster import POD, ApiError
from bgplab.lab.kubernetes_transport import Transport, body_as_status
from bgplab.lab.shell import Completed
from bgplab.lab.waiting import Deadline

if TYPE_CHECKING:
    from kubernetes.stream.ws_client import WSClient

STDIN, STDOUT, STDERR, STATUS = range(4)

NOT_RUNNING = "container not found"  # kubelet's words, and this project's server's
CANNOT_RUN = 126  # a shell's status for it

#: For a server that takes the connection and never answers; the library knows no time limit of its own.
HANDSHAKE_SECONDS = 20.0


def exec_in_pod(
    transport: Transport,
    pod: str,
    argv: Sequence[str],
    *,
    namespace: str,
    container: str | None,
    stdin: str,
    timeout: float,
    check: bool,
) -> Completed:
    """Run a command in a pod's container.

    Raises CommandFailed when check is true and the status is not 0, ApiError when the API server or the kubelet
    refuses, LabError when the time limit (seconds) is over.
    """
    started = time.monotonic()
    session = _open(transport, pod, argv, namespace=namespace, container=container, stdin=bool(stdin))
    try:
        _feed(session, stdin)
        _await_end(session, Deadline.after(timeout), f"{namespace}/{pod}: `{' '.join(argv)}`")
        stdout, stderr = (session.read_channel(channel).decode(errors="replace") for channel in (STDOUT, STDERR))
        exit_status = exit_status_of(session.read_channel(STATUS), f"exec {namespace}/{pod}")
    finally:
        session.close()
    if check and exit_status != 0:
        raise CommandFailed(f"pod {namespace}/{pod}", argv, exit_status, stdout, stderr)
    return Completed(tuple(argv), exit_status, stdout, stderr, time.monotonic() - started)


def exit_status_of(said: bytes, request: str) -> int:
    """The exit status in the closing `Status`; a failure that is not an exit status is raised as ApiError."""
    import yaml  # here: most who have a cluster in hand never exec

    status: dict[str, Any] = yaml.safe_load(said) if said else {}
    if status.get("status") == "Success":
        return 0
    for cause in (status.get("details") or {}).get("causes") or []:
        if cause.get("reason") == "ExitCode":
            return int(cause["message"])
    if not status:
        status = {"reason": "InternalError", "message": "the connection ended without an exit status"}
    raise ApiError(request, int(status.get("code", 500)), status)


def _open(
    transport: Transport, pod: str, argv: Sequence[str], *, namespace: str, container: str | None, stdin: bool
) -> WSClient:
    from kubernetes.stream import ws_client
    from kubernetes.stream.ws_client import WSClient
    from websocket import WebSocket, WebSocketBadStatusException, WebSocketException

    def impatient(**options: Any) -> WebSocket:
        opened = WebSocket(**options)
        opened.settimeout(HANDSHAKE_SECONDS)
        return opened

    # WSClient cannot be told, and the package's default timeout is not asked for here
    setattr(ws_client, "WebSocket", impatient)  # noqa: B010
    path = POD.path(pod, namespace, "exec")
    query = [("command", word) for word in argv] + [("stdout", "true"), ("stderr", "true")]
    query += [("container", container)] if container else []
    query += [("stdin", "true")] if stdin else []
    try:
        return WSClient(
            transport.access.configuration(),
            f"{transport.url(path)}?{urlencode(query)}".replace("http", "ws", 1),
            transport.access.headers(),
            capture_all=False,
            binary=True,
        )
    except WebSocketBadStatusException as refusal:
        body = refusal.resp_body or b""
        fault = ApiError(f"GET {path}", refusal.status_code, body_as_status(body, refusal.status_code))
        if NOT_RUNNING in str(fault):  # may yet run: to whoever waits it is a command that failed
            raise CommandFailed(pod, argv, CANNOT_RUN, "", str(fault)) from refusal
        raise fault from refusal
    except (WebSocketException, OSError) as fault:
        raise transport.unreachable(path, fault) from fault


def _feed(session: WSClient, stdin: str) -> None:
    if not stdin:
        return
    session.write_channel(STDIN, stdin.encode())
    close = getattr(session, "close_channel", None)  # absent before v5.channel.k8s.io was known to the library
    if close:
        close(STDIN)


def _await_end(session: WSClient, deadline: Deadline, what: str) -> None:
    """Collect output until the server closes the connection."""
    from websocket import WebSocketException

    while session.is_open():
        if deadline.passed:
            raise LabError(f"{what} did not end within {deadline.seconds:.1f} s")
        try:
            session.update(timeout=deadline.remaining)
        except (OSError, WebSocketException) as fault:
            raise LabError(f"{what}: the connection broke: {fault}") from fault
