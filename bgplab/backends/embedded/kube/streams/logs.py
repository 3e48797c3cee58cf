"""log: what a container wrote, as plain text."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta

from starlette.responses import Response, StreamingResponse

from bgplab.backends.embedded.kube.errors import bad_request
from bgplab.backends.embedded.kube.machine import Machine
from bgplab.backends.embedded.kube.runtime import PodRuntime
from bgplab.backends.embedded.kube.streams.containers import (
    chosen_container,
    needed,
    refuse_if_waiting,
    refuse_without_previous,
)
from bgplab.backends.embedded.kube.verbs.request import Target

log = logging.getLogger(__name__)

TRUE = ("true", "1", "True")


def serve_logs(machine: Machine, target: Target, query: Mapping[str, str], runtime: PodRuntime | None) -> Response:
    """Raises 400 for what cannot be answered truly, 404."""
    container = chosen_container(machine, target, query.get("container", ""))
    previous = query.get("previous") in TRUE
    since = _since(query, machine.clock())
    pod = machine.item(target).value
    if previous:
        refuse_without_previous(pod, target.name, container)
    else:
        refuse_if_waiting(pod, target.name, container)
    follow, tail = query.get("follow") in TRUE, _number(query, "tailLines")
    written = needed(runtime).logs(
        target.namespace, target.name, container, follow=follow, tail=tail, previous=previous
    )
    lines = _chosen(_lines(written), since, timestamps=query.get("timestamps") in TRUE)
    return StreamingResponse(_limited(lines, _number(query, "limitBytes"), target.name), media_type="text/plain")


def _number(query: Mapping[str, str], name: str, least: int = 0) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if not text.isdigit() or int(text) < least:
        raise bad_request(f"PodLogOptions: {name}: Invalid value: {text!r}: must be greater than or equal to {least}")
    return int(text)


def _since(query: Mapping[str, str], now: datetime) -> bytes:
    """The first time of which lines are asked for, in the form lines have it; empty for all."""
    seconds, moment = _number(query, "sinceSeconds", 1), query.get("sinceTime")
    if seconds is not None and moment:
        raise bad_request("PodLogOptions: at most one of `sinceTime` or `sinceSeconds` may be specified")
    if seconds is not None:
        return _as_stamp(now - timedelta(seconds=seconds))
    if not moment:
        return b""
    try:
        given = datetime.fromisoformat(moment)
    except ValueError:
        given = None
    if given is None or given.tzinfo is None:
        raise bad_request(f"PodLogOptions: sinceTime: Invalid value: {moment!r}: must be a time of RFC 3339")
    return _as_stamp(given)


def _as_stamp(moment: datetime) -> bytes:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z").encode()


async def _lines(written: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Whole lines, each as soon as it is there."""
    rest = b""
    async for piece in written:
        *lines, rest = (rest + piece).split(b"\n")
        if lines:
            for line in lines:
                yield line + b"\n"
    if rest:
        yield rest


async def _chosen(lines: AsyncIterator[bytes], since: bytes, *, timestamps: bool) -> AsyncIterator[bytes]:
    async for line in lines:
        stamp, _, text = line.partition(b" ")
        if stamp >= since:
            yield line if timestamps else text


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
