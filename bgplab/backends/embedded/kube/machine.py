"""Everything a verb needs in one hand: the objects, what is served, addresses to give away, the clock."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bgplab.backends.embedded.kube.allocation import AddressPool, PortPool
from bgplab.backends.embedded.kube.errors import not_found
from bgplab.backends.embedded.kube.registry import Registry
from bgplab.backends.embedded.kube.store.item import Item
from bgplab.backends.embedded.kube.store.store import Store
from bgplab.backends.embedded.kube.verbs.request import Target

NAME_SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # what generateName appends; no vowels, so no words


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Machine:
    """One per server."""

    addresses: AddressPool
    ports: PortPool
    registry: Registry = field(default_factory=Registry)
    store: Store = field(default_factory=Store)
    clock: Callable[[], datetime] = utc_now
    chance: random.Random = field(default_factory=random.Random)

    def now(self) -> str:
        """RFC 3339, whole seconds, as metav1.Time is."""
        return self.clock().strftime("%Y-%m-%dT%H:%M:%SZ")

    def item(self, target: Target) -> Item:
        """The object, or 404."""
        found = self.store.get(target.key)
        if found is None:
            raise not_found(target.resource.plural, target.resource.group, target.name)
        return found

    def suffix(self) -> str:
        return "".join(self.chance.choices(NAME_SUFFIX_LETTERS, k=5))
