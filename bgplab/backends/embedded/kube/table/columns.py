"""A column of `kubectl get`, and how a kind's cells come about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bgplab.backends.embedded.kube.store.item import Value
from bgplab.backends.embedded.kube.table.ages import since

NONE = "<none>"
Cell = Callable[[Value, datetime], Any]


@dataclass(frozen=True, slots=True)
class Shown:
    """wide: only with `-o wide` (priority 1)."""

    name: str
    cell: Cell
    type: str = "string"
    wide: bool = False
    format: str = ""


def at(value: Any, *names: str, default: Any = None) -> Any:
    """The value below nested fields, or the default."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return default if value is None else value


def name_of(value: Value, now: datetime) -> str:
    return value["metadata"]["name"]


def age_of(value: Value, now: datetime) -> str:
    return since(value["metadata"].get("creationTimestamp"), now)


NAME = Shown("Name", name_of, format="name")
AGE = Shown("Age", age_of)


def field(name: str, *path: str, default: Any = NONE, kind: str = "string", wide: bool = False) -> Shown:
    return Shown(name, lambda value, now: at(value, *path, default=default), kind, wide)


def joined(items: Sequence[str], limit: int = 0) -> str:
    """Comma-separated; past `limit` as kubectl says it."""
    if not items:
        return NONE
    if limit and len(items) > limit:
        return f"{','.join(items[:limit])} + {len(items) - limit} more..."
    return ",".join(items)
