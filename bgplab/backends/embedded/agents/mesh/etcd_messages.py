"""etcd's v3 API as its grpc-gateway speaks it (rpc.proto, etcd 3.5): JSON with base64 keys and values, 64-bit numbers
as strings, zero values left out. Pure: dictionaries in, frozen data out, and back."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bgplab.errors import LabError


class EtcdError(LabError):
    """etcd could not be asked, or refused: what, and its own words."""


@dataclass(frozen=True, slots=True)
class Listing:
    """All keys of a range at `revision`. cluster_id: changes with every new etcd data directory."""

    cluster_id: int
    revision: int
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """value: None when the key was deleted, or its lease ended."""

    key: str
    value: str | None


@dataclass(frozen=True, slots=True)
class WatchAnswer:
    """compacted: the watch asked for revisions that are gone; list again. The first answer has no changes."""

    revision: int
    changes: tuple[Change, ...] = ()
    compacted: bool = False


def prefix_end(prefix: str) -> str:
    """The key behind all that start with `prefix` (etcd's clientv3.GetPrefixRangeEnd; prefixes here are ASCII)."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


def range_request(prefix: str) -> dict[str, Any]:
    return {"key": _encoded(prefix), "range_end": _encoded(prefix_end(prefix))}


def put_request(key: str, value: str, lease: int = 0) -> dict[str, Any]:
    return {"key": _encoded(key), "value": _encoded(value), "lease": str(lease)}


def delete_request(key: str) -> dict[str, Any]:
    return {"key": _encoded(key)}


def watch_request(prefix: str, since: int) -> dict[str, Any]:
    """Changes of a range from revision `since` on."""
    return {"create_request": {**range_request(prefix), "start_revision": str(since)}}


def listing_of(answer: Mapping[str, Any]) -> Listing:
    values = {_decoded(one["key"]): _decoded(one.get("value", "")) for one in answer.get("kvs", ())}
    return Listing(cluster_id_of(answer), _revision(answer), values)


def cluster_id_of(answer: Mapping[str, Any]) -> int:
    return int(answer["header"]["cluster_id"])


def watch_answer_of(line: Mapping[str, Any]) -> WatchAnswer:
    """One line of the stream. Raises EtcdError when it is a refusal."""
    if "error" in line:
        raise EtcdError(f"etcd ended the watch: {refusal_of(line)}")
    result = line["result"]
    compacted = int(result.get("compact_revision", 0)) > 0
    if result.get("canceled") and not compacted:
        raise EtcdError(f"etcd cancelled the watch: {result.get('cancel_reason', 'no reason given')}")
    return WatchAnswer(_revision(result), tuple(_change(event) for event in result.get("events", ())), compacted)


def refusal_of(answer: Mapping[str, Any]) -> str:
    """The words in an error, which is a text or an object with one, depending on the call."""
    error = answer.get("error", "")
    words = error.get("message", error) if isinstance(error, Mapping) else error
    return str(words or answer.get("message") or answer)


def _change(event: Mapping[str, Any]) -> Change:
    pair = event["kv"]
    deleted = event.get("type") == "DELETE"
    return Change(_decoded(pair["key"]), None if deleted else _decoded(pair.get("value", "")))


def _revision(answer: Mapping[str, Any]) -> int:
    return int(answer["header"].get("revision", 0))


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _decoded(text: str) -> str:
    return base64.b64decode(text).decode()
