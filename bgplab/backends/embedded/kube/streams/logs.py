"""log: what a container wrote, as plain text."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping

from starlette.responses import Response, StreamingResponse

from bgplab.backends.embedded.kube.errors import bad_request
from bgplab.backends.embedded.kube.machine import Machine
from bgplab.backends.embedded.kube.runtime import PodRuntime
from bgplab.backends.embedded.kube.streams.containers import chosen_container, needed, refuse_if_waiting
from bgplab.backends.embedded.kube.verbs.request import Target

log = logging.getLogger(__name__)

TRUE = ("true", "1", "True")
# The runtime keeps lines, not when they were written, nor those of earlier containers.
UNSUPPORTED = ("sinceSeconds", "sinceTime", "timestamps", "previous")


def serve_logs(machine: Machine, target: Target, query: Mapping[str, str], runtime: PodRuntime | None) -> Response:
    """Raises 400 for what cannot be answered truly, 404."""
    container = chosen_container(machine, target, query.get("container", ""))
    for name in UNSUPPORTED:
        if query.get(name) not in (None, "", "false", "False"):
            raise bad_request(f"PodLogOptions: {name} is not supported by this server")
    refuse_if_waiting(machine.item(target).value, target.name, container)
    follow, tail = query.get("follow") in TRUE, _number(query, "tailLines")
    lines = needed(runtime).logs(target.namespace, target.name, container, follow=follow, tail=tail)
    return StreamingResponse(_limited(lines, _number(query, "limitBytes"), target.name), media_type="text/plain")


def _number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if not text.isdigit():
        raise bad_request(f"PodLogOptions: {name}: Invalid value: {text!r}: must be greater than or equal to 0")
    return int(text)


async def _limited(lines: AsyncIterator[bytes], limit: int | None, pod: str) -> AsyncIterator[bytes]:
    left = limit
    try:
        async for chunk in lines:
            yield chunk if left is None else chunk[:left]
            left = None if left is None else left - len(chunk)
            if left is not None and left <= 0:
                return
    except LookupError as fault:
        log.warning("logs of %s: %s", pod, fault)
