"""Why an observation could not be made, where it is nobody's fault."""

from __future__ import annotations

from bgplab.errors import LabError


class NotThere(LabError):
    """What should be looked at does not exist (yet)."""


class NeedsAChange(LabError):
    """Only a step can make this observation, since it takes a change to the lab; the check is skipped without it."""
