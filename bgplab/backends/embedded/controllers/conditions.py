"""Statuses and their conditions, set as the API's own helpers do (the time changes only with the status)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
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


def status_patch(there: Mapping[str, Any], wanted: Mapping[str, Any], zeros: Collection[str]) -> dict[str, Any] | None:
    """A merge patch of a status, None when it is so. Zeros are left out (as by Go's omitempty) but for those named."""
    said = {name: None if value == 0 and name not in zeros else value for name, value in wanted.items()}
    return said if any(there.get(name) != value for name, value in said.items()) else None


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
