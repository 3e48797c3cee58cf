"""A real mesh on its way through the guide's second part, and what its checks say of it while something is broken."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bgplab import judge
from bgplab.checks.finding import Verdict
from bgplab.checks.stages import reached
from bgplab.judge.cluster_mesh import CLUSTER_MESH
from bgplab.judge.context import Context
from bgplab.lab.cluster import SERVICE, Cluster
from bgplab.lab.model import Lab
from bgplab.lab.waiting import Deadline
from bgplab.results.record import CheckResult
from bgplab.spec.model import LabSpec
from bgplab.steps.mesh import MESH_STEPS, UNDO
from bgplab.steps.outcome import Outcome

STEP_SECONDS = 90.0
NOTICED_SECONDS = 60.0
MENDED_SECONDS = 90.0


@dataclass
class MeshBench:
    lab: Lab
    spec: LabSpec
    stage: str = "M01"
    context: Context = field(default_factory=Context)

    @property
    def west(self) -> Cluster:
        return self.lab.clusters["west"]

    @property
    def east(self) -> Cluster:
        return self.lab.clusters["east"]

    def reach(self, stage: str) -> None:
        """Do the steps up to this one that have not been done yet."""
        for id in MESH_STEPS:
            if reached(stage, id) and not reached(self.stage, id):
                self.do(id)
                self.stage = id

    def do(self, id: str, seconds: float = STEP_SECONDS) -> Outcome:
        outcome = MESH_STEPS[id].do(self.lab, self.spec, Deadline.after(seconds))
        for observation in outcome.evidence:
            self.context.keep(observation)
        return outcome

    def undo(self, id: str) -> Outcome:
        return UNDO[id](self.lab, self.spec, Deadline.after(STEP_SECONDS))

    def judge(self, id: str, patience_seconds: float = 0.0) -> CheckResult:
        (result,) = judge.run(
            self.lab, self.spec, [id], self.stage, self.context, course=CLUSTER_MESH, patience_seconds=patience_seconds
        )
        print(f"{id} {result.verdict.value}: {result.reason}")
        return result

    def fails(self, id: str, reason: str) -> CheckResult:
        """Look until the check says this of what is broken (a pattern for the whole reason)."""
        deadline = Deadline.after(NOTICED_SECONDS)
        while True:
            result = self.judge(id)
            if result.verdict is Verdict.FAILS and re.fullmatch(reason, result.reason, re.S):
                return result
            assert not deadline.passed, f"{id} {result.verdict.value}: {result.reason!r} is not {reason!r}"
            time.sleep(0.1)

    def holds(self, id: str) -> CheckResult:
        """Wait until the check holds (again)."""
        deadline = Deadline.after(MENDED_SECONDS)
        while True:
            result = self.judge(id, patience_seconds=deadline.remaining)
            if result.verdict is Verdict.HOLDS:
                return result
            assert not deadline.passed, f"{id} {result.verdict.value}: {result.reason}"


@contextmanager
def annotated(cluster: Cluster, wrong: dict[str, Any], right: dict[str, Any]) -> Iterator[None]:
    """The Service's annotations, and those that take it back."""
    cluster.patch(SERVICE, "webpod", {"metadata": {"annotations": wrong}}, "default")
    try:
        yield
    finally:
        cluster.patch(SERVICE, "webpod", {"metadata": {"annotations": right}}, "default")
