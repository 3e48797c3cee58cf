"""Durations as kubectl prints them (apimachinery's HumanDuration)."""

from __future__ import annotations

from datetime import datetime, timedelta

UNKNOWN = "<unknown>"
MINUTE, HOUR, DAY, YEAR = 60, 3600, 86400, 365 * 86400


def human(duration: timedelta) -> str:
    """Two units while the larger is small, one afterwards."""
    seconds = int(duration.total_seconds())
    if seconds < -1:
        return "<invalid>"
    if seconds < 2 * MINUTE:
        return f"{max(0, seconds)}s"
    for limit, unit, letter, small, small_letter in (
        (10 * MINUTE, MINUTE, "m", 1, "s"),
        (3 * HOUR, MINUTE, "m", 0, ""),
        (8 * HOUR, HOUR, "h", MINUTE, "m"),
        (2 * DAY, HOUR, "h", 0, ""),
        (8 * DAY, DAY, "d", HOUR, "h"),
        (2 * YEAR, DAY, "d", 0, ""),
        (8 * YEAR, YEAR, "y", DAY, "d"),
    ):
        if seconds < limit:
            rest = seconds % unit // small if small else 0
            return f"{seconds // unit}{letter}" + (f"{rest}{small_letter}" if rest else "")
    return f"{seconds // YEAR}y"


def since(timestamp: str | None, now: datetime) -> str:
    """How long ago an RFC 3339 time was."""
    if not timestamp:
        return UNKNOWN
    try:
        return human(now - datetime.fromisoformat(timestamp.replace("Z", "+00:00")))
    except ValueError:
        return UNKNOWN
