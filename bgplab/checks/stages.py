"""The order of steps. A stage is called by the last step that has been done: `G14` means G01 to G14."""

from __future__ import annotations


def number(step: str) -> int:
    """`G15` → 15."""
    return int(step[1:])


def reached(stage: str, step: str) -> bool:
    """Whether a lab in `stage` has `step` behind it."""
    return stage[0] == step[0] and number(stage) >= number(step)


def later(one: str, other: str) -> str:
    return max(one, other, key=number)
