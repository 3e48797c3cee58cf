"""The channel protocols of Kubernetes over WebSocket: one byte says which stream a message belongs to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import IntEnum
from typing import Any

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")


class Channel(IntEnum):
    """CLOSE (v5): the message's second byte names the channel that ends."""

    STDIN = 0
    STDOUT = 1
    STDERR = 2
    ERROR = 3
    RESIZE = 4
    CLOSE = 255


def agreed_protocol(offered: Sequence[str]) -> str | None:
    """The client's first offer that this server speaks."""
    return next((each for each in offered if each in PROTOCOLS), None)


def parsed_size(payload: bytes) -> tuple[int, int] | None:
    """(columns, rows) of a resize message; None when it is none."""
    try:
        size = json.loads(payload)
        return int(size["Width"]), int(size["Height"])
    except (ValueError, KeyError, TypeError):
        return None


def exit_status(code: int) -> dict[str, Any]:
    """What goes over the error channel when the command ended."""
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def failure_status(message: str) -> dict[str, Any]:
    """What goes over the error channel when the command could not be run."""
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"Internal error occurred: {message}",
        "reason": "InternalError",
        "details": {"causes": [{"message": message}]},
        "code": 500,
    }
