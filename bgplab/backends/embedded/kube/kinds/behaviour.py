"""What is particular to a kind, as functions in a table; everything else is the same for all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bgplab.backends.embedded.kube.errors import Cause
from bgplab.backends.embedded.kube.machine import Machine
from bgplab.backends.embedded.kube.store.item import Value


def _nothing(value: Value) -> None:
    """Most kinds have no computed defaults."""


def _no_causes(new: Value, old: Value | None) -> Iterator[Cause]:
    return iter(())


def _no_preparation(machine: Machine, new: Value, old: Value | None) -> None:
    """Most kinds take nothing from the machine."""


def _no_trace(machine: Machine, value: Value) -> None:
    """Most kinds leave nothing behind and start nothing."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """complete: defaults that depend on other fields, in place, after the schema's.

    validate: what the schema cannot say; `old` is None when created.
    prepare: before it is stored, in place, only if valid: what comes from the machine. May raise ApiError.
    stored: after every write. removed: after it is gone.
    """

    complete: Callable[[Value], None] = _nothing
    validate: Callable[[Value, Value | None], Iterator[Cause]] = _no_causes
    prepare: Callable[[Machine, Value, Value | None], None] = _no_preparation
    stored: Callable[[Machine, Value], None] = _no_trace
    removed: Callable[[Machine, Value], None] = _no_trace


PLAIN = Behaviour()


def immutable(new: Value, old: Value | None, *paths: str) -> Iterator[Cause]:
    """`field is immutable` for each path (dotted, from the root) that changed."""
    if old is None:
        return
    for path in paths:
        if _at(new, path) != _at(old, path):
            yield Cause(path, "Invalid value: field is immutable")


def _at(value: Value, path: str) -> object:
    found: object = value
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found
