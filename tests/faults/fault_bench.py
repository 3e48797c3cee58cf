"""A real lab on its way through the guide, and what its checks say of it while something is broken."""

from __future__ import annotations

import dataclasses
import re
import time
from dataclasses import dataclass, field
from pathlib import Path

from bgplab import judge
from bgplab.checks.finding import Verdict
from bgplab.checks.stages import reached
from bgplab.judge.context import Context
from bgplab.lab.cluster import Cluster
from bgplab.lab.model import Access, Lab
from bgplab.lab.opening import open_lab
from bgplab.lab.shell import Shell
from bgplab.lab.waiting import Deadline
from bgplab.results.record import CheckResult
from bgplab.spec.model import LabSpec
from bgplab.steps.all import STEPS

STEP_SECONDS = 60.0
#: A fault takes effect within milliseconds; a hold time that runs out is the longest (9 s). The machine may be busy.
NOTICED_SECONDS = 60.0
MENDED_SECONDS = 60.0


@dataclass
class Bench:
    """access: by which the lab was opened. context: as a run has it. stage: the last step that was done."""

    access: Access
    lab: Lab
    spec: LabSpec
    stage: str = "G01"
    context: Context = field(default_factory=Context)

    @property
    def cluster(self) -> Cluster:
        return self.lab.cluster

    @property
    def router(self) -> Shell:
        return self.lab.hosts["router"]

    def node(self, name: str) -> Shell:
        return self.lab.hosts[name]

    def opened_by(self, **files: Path) -> Bench:
        """The same lab as another `ssh_config` or `kubeconfig` reaches it."""
        access = dataclasses.replace(self.access, **files)
        return dataclasses.replace(self, access=access, lab=open_lab(access))

    def reach(self, stage: str) -> None:
        """Do the guide's steps up to this one that have not been done yet."""
        for id in STEPS:
            if reached(stage, id) and not reached(self.stage, id):
                self.do(id)
                self.stage = id
                if id == "G21":
                    self.holds("G23")  # keeps what pods see with policy Cluster, for G25
        assert reached(self.stage, stage), f"the lab is at {self.stage}, {stage} has no step of its own"

    def do(self, id: str) -> None:
        """One step, with what it saw and measured."""
        outcome = STEPS[id].do(self.lab, self.spec, Deadline.after(STEP_SECONDS))
        for observation in outcome.evidence:
            self.context.keep(observation)
        if outcome.propagation_seconds is not None:
            self.context.measured(outcome.propagation_seconds)

    def judge(self, id: str, patience_seconds: float = 0.0, stage: str | None = None) -> CheckResult:
        (result,) = judge.run(
            self.lab, self.spec, [id], stage or self.stage, self.context, patience_seconds=patience_seconds
        )
        print(f"{id} {result.verdict.value}: {result.reason}")
        return result

    def fails(self, id: str, reason: str) -> CheckResult:
        return self._says(id, Verdict.FAILS, reason)

    def cannot_tell(self, id: str, reason: str) -> CheckResult:
        return self._says(id, Verdict.INCONCLUSIVE, reason)

    def _says(self, id: str, verdict: Verdict, reason: str) -> CheckResult:
        """Look until the check says this, and nothing else, of what is broken (a pattern for the whole reason).

        Faults spread, so the first looks may see half of one: a path is gone, and the kernel has its route still.
        """
        deadline = Deadline.after(NOTICED_SECONDS)
        while True:
            result = self.judge(id)
            if result.verdict is verdict and re.fullmatch(reason, result.reason, re.S):
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
