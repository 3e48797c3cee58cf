"""Status conditions: what the API's own helpers do when one is set (the time changes only with the status)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Conditions = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition to be set; `generation` is the object's that it was judged on, where the writer says it."""

    type: str
    status: str
    reason: str
    message: str = ""
    generation: int | None = None


def now() -> str:
    """The time as the API writes it: UTC, whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def find(conditions: Iterable[dict[str, Any]] | None, kind: str) -> dict[str, Any] | None:
    return next((condition for condition in conditions or [] if condition["type"] == kind), None)


def with_condition(conditions: Conditions | None, wanted: Condition) -> Conditions:
    """The conditions with one set. An equal one is left as it is, its observedGeneration too."""
    there = find(conditions, wanted.type)
    said = {"status": wanted.status, "reason": wanted.reason, "message": wanted.message}
    if there is not None and all(there.get(key, "") == value for key, value in said.items()):
        return list(conditions or [])
    same_status = there is not None and there["status"] == wanted.status
    new = {
        "type": wanted.type,
        **said,
        "lastTransitionTime": there["lastTransitionTime"] if there is not None and same_status else now(),
    }
    if wanted.generation is not None:
        new["observedGeneration"] = wanted.generation
    if there is None:
        return [*(conditions or []), new]
    return [new if condition is there else condition for condition in conditions or []]
