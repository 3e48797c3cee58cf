"""An nftables table as data, and the script that turns one version of it into the next in a single transaction.

Only what differs is touched, because replacing the table would forget its counters and who is bound to which backend.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

FAMILY = "ip"


@dataclass(frozen=True, slots=True)
class Chain:
    """`hook` is a base chain's declaration (`type nat hook output priority -100`), "" for a chain that is jumped to."""

    rules: tuple[str, ...] = ()
    hook: str = ""


@dataclass(frozen=True, slots=True)
class Lookup:
    """A named set or map. Elements of a dynamic one come from packets and are not listed here."""

    keyword: str  # set | map
    declaration: str
    elements: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A whole table by the names of its parts."""

    name: str
    chains: Mapping[str, Chain] = field(default_factory=dict)
    lookups: Mapping[str, Lookup] = field(default_factory=dict)
    counters: frozenset[str] = frozenset()


def script(wanted: Table, before: Table | None) -> str:
    """Lines for `nft -f`; "" when nothing differs. Without `before` whatever stands there is thrown away first."""
    if before is None:
        lines = [f"add table {FAMILY} {wanted.name}", f"delete table {FAMILY} {wanted.name}"]
        lines += _change(wanted, Table(wanted.name))
    elif wanted == before:
        return ""
    else:
        lines = list(_change(wanted, before))
    return "\n".join(lines) + "\n"


def _change(wanted: Table, before: Table) -> Iterator[str]:
    """Order matters: what is referred to is made before, and taken away after, what refers to it."""
    at = f"{FAMILY} {wanted.name}"
    reshaped = {
        name
        for name, lookup in wanted.lookups.items()
        if name in before.lookups and before.lookups[name].declaration != lookup.declaration
    }
    if reshaped:
        raise ValueError(f"sets cannot change their type in place: {', '.join(sorted(reshaped))}")
    yield f"add table {at}"
    yield from (f"add counter {at} {name}" for name in sorted(wanted.counters - before.counters))
    for name, lookup in wanted.lookups.items():
        if name not in before.lookups:
            yield f"add {lookup.keyword} {at} {name} {{ {lookup.declaration} }}"
    for name, chain in wanted.chains.items():
        if name not in before.chains:
            yield f"add chain {at} {name}" + (f" {{ {chain.hook}; policy accept; }}" if chain.hook else "")
    yield from _empty(wanted, before, at)
    for name, lookup in wanted.lookups.items():
        if lookup.elements and lookup != before.lookups.get(name):
            yield f"add element {at} {name} {{ {', '.join(lookup.elements)} }}"
    for name, chain in wanted.chains.items():
        if chain != before.chains.get(name):
            yield from (f"add rule {at} {name} {rule}" for rule in chain.rules)
    yield from (f"delete chain {at} {name}" for name in before.chains if name not in wanted.chains)
    yield from (
        f"delete {lookup.keyword} {at} {name}" for name, lookup in before.lookups.items() if name not in wanted.lookups
    )
    yield from (f"delete counter {at} {name}" for name in sorted(before.counters - wanted.counters))


def _empty(wanted: Table, before: Table, at: str) -> Iterator[str]:
    for name, lookup in before.lookups.items():
        if lookup.elements and lookup != wanted.lookups.get(name):
            yield f"flush {lookup.keyword} {at} {name}"
    for name, chain in before.chains.items():
        if chain.rules and chain != wanted.chains.get(name):
            yield f"flush chain {at} {name}"
