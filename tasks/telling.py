"""Where a walk's words go: to Prefect's log of the task that says them, and to whoever listens (the command line)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_listener: ContextVar[Callable[[str], None] | None] = ContextVar("listener", default=None)
_plain = logging.getLogger("bgplab")


@contextmanager
def listening(listener: Callable[[str], None]) -> Iterator[None]:
    """Within this block everything said is handed to `listener`, too."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def tell(text: str) -> None:
    """Say one line, in the words of whoever does the work."""
    from prefect.exceptions import MissingContextError
    from prefect.logging import get_run_logger

    try:
        get_run_logger().info(text)
    except MissingContextError:
        _plain.info(text)
    listener = _listener.get()
    if listener:
        listener(text)
