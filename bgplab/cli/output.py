"""How commands speak: results to standard output, progress to standard error."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from typing import Any

import click


def colour() -> bool | None:
    """What click is told of colours: none with NO_COLOR (no-color.org), else it asks whether a terminal is there."""
    return False if os.environ.get("NO_COLOR") else None


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, default=str))


def progress() -> Callable[[str], None]:
    """A function that says what happens, with the seconds since the start, on standard error."""
    started = time.monotonic()

    def say(text: str) -> None:
        stamp = f"{time.monotonic() - started:6.2f} s"
        click.echo(f"{click.style(stamp, dim=True)}  {text}", err=True, color=colour())

    return say
