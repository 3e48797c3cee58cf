"""The only place that knows backends by name. A backend makes a lab exist, says how to reach it, takes it away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from bgplab.errors import InputError
from bgplab.lab.model import Access
from bgplab.spec.model import LabSpec

Say = Callable[[str], None]


class Standing(Protocol):
    """A lab that stands, and the caller's ownership of it.

    already: it stood before. ours: the caller may take it down (a lab that somebody else made it may not).
    """

    access: Access
    already: bool
    ours: bool

    def keep(self) -> None:
        """It shall stand on when the owner has gone."""

    def release(self) -> None:
        """Give up ownership; without `keep` the lab ends after its grace."""

    def down(self) -> None:
        """Take it away, now."""


class Backend(Protocol):
    """up: repeatable. Raises InputError, MachineError or LabError, and then nothing is left."""

    def up(self, spec: LabSpec, name: str, *, holder: str, say: Say) -> Standing: ...

    def plan(self, spec: LabSpec, name: str) -> list[str]:
        """What a person would type to have such a lab (step G01)."""


def backend(name: str, options: Mapping[str, object]) -> Backend:
    """A backend by name; options: its own settings. Raises InputError for an unknown one."""
    if name == "embedded":
        from bgplab.backends.embedded.backend import EmbeddedBackend

        return EmbeddedBackend(**options)  # type: ignore[arg-type]
    if name == "inventory":
        from bgplab.backends.inventory.backend import InventoryBackend

        return InventoryBackend(**options)  # type: ignore[arg-type]
    raise InputError("backend", f"{name!r} is no backend", "", "use embedded or inventory")
