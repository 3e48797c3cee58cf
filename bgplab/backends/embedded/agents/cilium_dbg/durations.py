"""Durations as Go prints them."""

from __future__ import annotations


def in_seconds(nanoseconds: int) -> str:
    """Rounded to a second, halves up: `0s`, `38s`, `1m7s`, `2h0m3s`."""
    minutes, seconds = divmod((nanoseconds + 500_000_000) // 1_000_000_000, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{seconds}s"
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
