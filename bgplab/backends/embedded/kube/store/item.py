"""What the store holds: values that nobody changes, each with the revision it was written at."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

Value = dict[str, Any]


class Key(NamedTuple):
    """Where an object lies. resource: plural with group (`pods`, `deployments.apps`); namespace "" if it has none."""

    resource: str
    namespace: str
    name: str


_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)


def encode(value: Any) -> bytes:
    return _ENCODER.encode(value).encode()


@dataclass(slots=True)
class Item:
    """One version of one object. The value is shared by all readers: never write into it.

    Its JSON is made once, however many readers and watches ask.
    """

    value: Value
    revision: int
    _encoded: bytes | None = field(default=None, repr=False)

    @property
    def encoded(self) -> bytes:
        if self._encoded is None:
            self._encoded = encode(self.value)
        return self._encoded


class Change(Enum):
    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


@dataclass(frozen=True, slots=True)
class Event:
    """One write. `item` is the new version (for DELETED: the last one, at the revision of the deletion)."""

    change: Change
    key: Key
    item: Item
    previous: Item | None

    @property
    def revision(self) -> int:
        return self.item.revision
