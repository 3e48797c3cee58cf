"""How far each ReplicaSet of a Deployment is to be scaled next: pure arithmetic of a rolling update."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# No vowels, and nothing that looks alike: what Kubernetes builds generated names from.
LETTERS = "bcdfghjklmnpqrstvwxz2456789"


@dataclass(frozen=True, slots=True)
class Sizes:
    """One ReplicaSet's numbers: wanted by its spec, existing, and available."""

    name: str
    wanted: int
    existing: int
    available: int


@dataclass(frozen=True, slots=True)
class Limits:
    """By how many pods a rolling update may exceed, and fall short of, the wanted number."""

    surge: int
    unavailable: int


def template_hash(template: Mapping[str, Any]) -> str:
    """A stable short name for a pod template: FNV-1a of its JSON, in Kubernetes' alphabet but another value."""
    value = 0x811C9DC5
    for byte in json.dumps(template, sort_keys=True).encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return "".join(LETTERS[ord(digit) % len(LETTERS)] for digit in str(value))


def limits_of(strategy: Mapping[str, Any], replicas: int) -> Limits:
    """maxSurge (rounded up) and maxUnavailable (rounded down); one of both is at least 1, or nothing would move."""
    rolling = strategy.get("rollingUpdate") or {}
    surge = _share(rolling.get("maxSurge", "25%"), replicas, math.ceil)
    unavailable = _share(rolling.get("maxUnavailable", "25%"), replicas, math.floor)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return Limits(surge, min(unavailable, replicas))


def next_sizes(replicas: int, new: Sizes, old: Sequence[Sizes], limits: Limits) -> dict[str, int]:
    """Wanted sizes by ReplicaSet name for the next step of a rolling update; only those that change."""
    changed: dict[str, int] = {}
    total = new.wanted + sum(one.wanted for one in old)
    grown = min(replicas, max(new.wanted, new.wanted + replicas + limits.surge - total))
    if grown != new.wanted:
        changed[new.name] = grown
    # Pods of the new template that are not available must not be taken for the old ones' replacement.
    lacking = max(0, new.wanted - new.available)
    budget = total - (replicas - limits.unavailable) - lacking
    shrunk = _shrink_unavailable(old, max(0, budget))
    available = new.available + sum(one.available for one in old)
    shrunk = _shrink(old, shrunk, max(0, available - (replicas - limits.unavailable)))
    return changed | {one.name: shrunk[one.name] for one in old if shrunk[one.name] != one.wanted}


def recreate_sizes(replicas: int, new: Sizes, old: Sequence[Sizes]) -> dict[str, int]:
    """Strategy Recreate: the new pods come when all old ones are gone."""
    if any(one.wanted for one in old):
        return {one.name: 0 for one in old if one.wanted}
    if any(one.existing for one in old):
        return {}
    return {new.name: replicas} if new.wanted != replicas else {}


def _shrink_unavailable(old: Sequence[Sizes], budget: int) -> dict[str, int]:
    """Old pods that do not work go first; nobody misses them."""
    wanted = {}
    for one in old:
        going = min(budget, max(0, one.wanted - one.available))
        wanted[one.name] = one.wanted - going
        budget -= going
    return wanted


def _shrink(old: Sequence[Sizes], wanted: Mapping[str, int], spare: int) -> dict[str, int]:
    """Available old pods go as far as enough others are available."""
    result = dict(wanted)
    for one in old:
        going = min(spare, one.available, result[one.name])
        result[one.name] -= going
        spare -= going
    return result


def _share(value: int | str, replicas: int, rounded: Any) -> int:
    if isinstance(value, str) and value.endswith("%"):
        return int(rounded(int(value[:-1]) * replicas / 100))
    return int(value)
