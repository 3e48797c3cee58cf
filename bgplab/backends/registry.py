"""The only place that knows backends by name. A backend makes a lab exist, says how to reach it, takes it away."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bgplab.errors import InputError

if TYPE_CHECKING:  # `down`, `doctor` and `setup` come this way, and need no description
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

    def ahead(self) -> AbstractContextManager[None]:
        """Around the description's reading and `up`: begin what any lab needs. Nothing is left of it without `up`."""

    def up(self, spec: LabSpec, name: str, *, holder: str, say: Say) -> Standing: ...

    def plan(self, spec: LabSpec, name: str) -> list[str]:
        """What a person would type to have such a lab (step G01)."""


def backend(name: str, options: Mapping[str, object]) -> Backend:
    """A backend by name; options: its own settings. Raises InputError for an unknown backend or option."""
    made = _maker(name)
    takes = inspect.signature(made)
    try:
        takes.bind(**options)
    except TypeError as fault:
        known = ", ".join(takes.parameters)
        raise InputError("backend_options", f"backend {name}: {fault}", "", f"it takes {known}") from fault
    return made(**options)


def _maker(name: str) -> Callable[..., Backend]:
    if name == "embedded":
        from bgplab.backends.embedded.backend import EmbeddedBackend

        return EmbeddedBackend
    if name == "inventory":
        from bgplab.backends.inventory.backend import InventoryBackend

        return InventoryBackend
    raise InputError("backend", f"{name!r} is no backend", "", "use embedded or inventory")


class Point(Protocol):
    """One thing that this machine has or lacks for labs. needed: without it there is none."""

    @property
    def what(self) -> str: ...

    @property
    def fine(self) -> bool: ...

    @property
    def needed(self) -> bool: ...

    @property
    def do(self) -> str: ...


def take_down(name: str) -> bool:
    """End the lab of this name that a backend made on this machine; True when one stood. Raises InputError."""
    from bgplab.backends.embedded.ending import down

    return down(name)


def examine_machine() -> Sequence[Point]:
    """What this machine has and lacks to make labs on it, in the order in which one would mend it."""
    from bgplab.backends.embedded.doctor import examine

    return examine()


def fetch_hosts_userland(say: Say) -> Path:
    """Fetch what hosts of labs made here need, unless it is there; where it is. Raises MachineError."""
    from bgplab.backends.embedded.hosts.userland import fetch_userland

    return fetch_userland(say)


def hosts_package_versions() -> Mapping[str, str]:
    """Packages that matter on hosts of labs made here → version; empty before they are fetched."""
    from bgplab.backends.embedded.hosts.userland import package_versions

    return package_versions()
