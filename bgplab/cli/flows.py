"""The flows that `run` walks: what each is called in code, and what it is when nothing is said."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tasks.parts import Part


@dataclass(frozen=True, slots=True)
class FlowChoice:
    """module, function: of the flow. part: its name in tasks/parts.py. letter: first of its steps' ids; last: the last.

    lab: the description it walks when none is named.
    """

    module: str
    function: str
    part_name: str
    letter: str
    last: str
    lab: str

    @property
    def part(self) -> Part:
        """Its steps and checks; needs no Prefect."""
        part: Part = getattr(importlib.import_module("tasks.parts"), self.part_name)
        return part

    @property
    def flow(self) -> Any:
        """The flow itself (a prefect.Flow); imports Prefect."""
        return getattr(importlib.import_module(self.module), self.function)


FLOWS: Mapping[str, FlowChoice] = {
    "bgp-lab": FlowChoice("flows.bgp_lab", "bgp_lab", "BGP_LAB", "G", "G30", "guide"),
    "cluster-mesh": FlowChoice("flows.cluster_mesh", "cluster_mesh", "CLUSTER_MESH", "M", "M15", "mesh"),
    "failover": FlowChoice("flows.failover", "failover", "FAILOVER", "E", "E16", "guide"),
}
