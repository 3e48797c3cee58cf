"""A lab of this machine that stands already, taken by its record: for who only looks. It makes and ends nothing."""

from __future__ import annotations

import shlex
from contextlib import AbstractContextManager, nullcontext

from bgplab.backends.registry import Backend, Say
from bgplab.lab import directory as labs
from bgplab.lab.model import Access
from bgplab.spec.model import LabSpec


class StandingLab:
    """A lab that stood before and stands afterwards; no lease is taken on it."""

    already = True
    ours = False

    def __init__(self, access: Access) -> None:
        self.access = access

    def keep(self) -> None:
        """It stands anyway."""

    def release(self) -> None:
        """Whoever owns it still does."""

    def down(self) -> None:
        """Whoever made it takes it down."""


class StandingBackend:
    """up: raises InputError, naming the labs that do stand, when none has the name."""

    def ahead(self) -> AbstractContextManager[None]:
        return nullcontext()

    def up(self, spec: LabSpec, name: str, *, holder: str, say: Say) -> StandingLab:
        return StandingLab(labs.access_to(labs.require_record(name)))

    def plan(self, spec: LabSpec, name: str) -> list[str]:
        return [shlex.join(["bgp-lab", "shell", "--name", name])]


def standing_lab(name: str) -> tuple[LabSpec, Backend]:
    """What a lab that stands on this machine was described as, and how to take it as it is.

    Raises InputError when no lab of that name stands.
    """
    return LabSpec.model_validate(labs.require_record(name).spec), StandingBackend()
