"""One walk through the guide: the open lab, what was done and seen so far, and how to do and judge one step.

Plain Python; Prefect is in the tasks beside it. Deliberately no dataclass: Prefect looks into data classes that are
handed to tasks and copies what it finds.
"""

from __future__ import annotations

import contextvars
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from bgplab.backends.registry import Backend, Standing
from bgplab.backends.registry import backend as backend_named
from bgplab.backends.standing import standing_lab
from bgplab.checks.finding import Verdict, skipped
from bgplab.checks.stages import later, number, reached
from bgplab.errors import DeadlineExceeded, LabError
from bgplab.judge import Context, stage_of
from bgplab.judge import run as judge
from bgplab.judge.judging import UNSEEN
from bgplab.lab.directory import check_name, lab_lock
from bgplab.lab.model import Lab
from bgplab.lab.opening import open_lab
from bgplab.lab.waiting import Deadline
from bgplab.results.record import CheckResult, StepResult, TimelineEvent
from bgplab.spec.loading import load_lab
from bgplab.spec.model import LabSpec
from bgplab.steps.outcome import Outcome, Step
from tasks.parts import BGP_LAB, Part, part_for

Say = Callable[[str], None]

STEP_DEADLINE_SECONDS = 30.0
LOCK_PATIENCE_SECONDS = 600.0


class Walk:
    """Grows as steps are done. stage: the last step behind the lab; `stood_at`: where it was when the walk began."""

    def __init__(
        self,
        spec: LabSpec,
        name: str,
        backend: Backend,
        *,
        part: Part = BGP_LAB,
        until: str | None = None,
        say: Say = print,
    ) -> None:
        self.spec, self.name, self.say, self.part = spec, check_name(name), say, part
        self.until = until or part.last
        self.context = Context()
        self.checks: list[CheckResult] = []
        self.steps: list[StepResult] = []
        self.timeline: list[TimelineEvent] = []
        self.started_ns = time.time_ns()
        self.stage = self.stood_at = part.course.nothing
        self.error = ""
        self._failed_step: str | None = None
        self._backend = backend
        self._standing: Standing | None = None
        self._lab: Lab | None = None
        self._closing = ExitStack()
        self._locked = False

    @property
    def lab(self) -> Lab:
        if self._lab is None:
            raise LabError("the lab has not been provisioned in this run")
        return self._lab

    @property
    def is_open(self) -> bool:
        return self._lab is not None

    def wants(self, step: str) -> bool:
        """Whether a step is part of this walk (`--until`), and nothing has broken it off before."""
        return number(step) <= number(self.until)

    def provision(self, holder: str) -> None:
        """The first row: the lock on the name, the lab itself, and where it stands. A retry takes up what is there."""
        started = time.monotonic()
        if self._standing is None:
            if not self._locked:  # a retry holds it already
                lock = lab_lock(self.name, holder, patience_seconds=LOCK_PATIENCE_SECONDS, say=self.say)
                self._closing.enter_context(lock)
                self._locked = True
            self._standing = self._backend.up(self.spec, self.name, holder=holder, say=self.say)
        standing = self._standing
        self._lab = open_lab(standing.access)
        if standing.already:
            self.stood_at = stage_of(self.lab, self.spec, self.part.course)
        self.stage = later(self.part.first, self.stood_at)
        where = f"it stands at {self.stood_at}" if standing.already else "brought up"
        self._keep_step(
            StepResult(
                self.part.first,
                "provision",
                "already" if standing.already else "changed",
                f"lab {self.name}: {', '.join(standing.access.hosts)} ({where})",
                time.monotonic() - started,
                tuple(self._backend.plan(self.spec, self.name)),
            )
        )

    def do(self, id: str, **options: Any) -> Outcome:
        """Do one step; its outcome, commands and time are kept. Raises what the step raises (a retry may follow)."""
        step: Step = self.part.steps[id]
        started = time.monotonic()
        try:
            outcome = step.do(self.lab, self.spec, Deadline.after(STEP_DEADLINE_SECONDS), **options)
        except Exception as fault:
            plan = tuple(step.plan(self.spec))
            self._keep_step(StepResult(id, step.title, "failed", str(fault), time.monotonic() - started, plan))
            self._failed_step = id
            raise
        self._failed_step = None
        for observation in outcome.evidence:
            self.context.keep(observation)
        if outcome.propagation_seconds is not None:
            self.context.measured(outcome.propagation_seconds)
        self._keep_step(
            StepResult(id, step.title, outcome.outcome, outcome.what, time.monotonic() - started, outcome.commands)
        )
        self.stage = later(self.stage, id)
        return outcome

    def judge(self, step: str) -> list[CheckResult]:
        """Judge every observation that follows a step, up to the next one; results are kept."""
        return self.judge_checks([id for id in self.part.checks_after(step) if number(id) <= number(self.until)])

    def judge_checks(self, ids: Sequence[str]) -> list[CheckResult]:
        """Judge these checks of the lab as it is now; results are kept. Raises InputError for what is no check's id."""
        results = self._judged(ids)
        kept = [check for check in self.checks if check.id not in ids]
        self.checks = sorted(kept + results, key=lambda check: number(check.id))
        return results

    def _judged(self, ids: Sequence[str], patience_seconds: float | None = None) -> list[CheckResult]:
        here = contextvars.copy_context()  # verdicts fall in other threads, which know nothing of this task

        def tell(result: CheckResult) -> None:
            here.copy().run(self._tell, result)

        return judge(
            self.lab,
            self.spec,
            ids,
            self.stage,
            self.context,
            course=self.part.course,
            patience_seconds=patience_seconds,
            on_result=tell,
        )

    def give_up(self, fault: BaseException, asked: Sequence[str] | None = None) -> None:
        """Nothing further can be done: the rest is skipped, naming why, and the run has failed.

        A step that waited in vain says what did not come; the checks that follow it may know why, so they speak first.
        Where one of them fails, that is the run's result, and no error of the lab's.
        asked: the checks that were to be judged; all up to the walk's end when None.
        """
        cause = self._cause_of(fault)
        why = f"{cause.id} does not hold" if cause else str(fault) or type(fault).__name__
        self.error = "" if cause else why
        judged = {result.id for result in self.checks}
        for id, check in self.part.course.checks().items():
            wanted = number(id) <= number(self.until) if asked is None else id in asked
            if id not in judged and wanted:
                self.checks.append(CheckResult.of(id, check.title, skipped(f"not reached: {why.splitlines()[0]}")))

    def _cause_of(self, fault: BaseException) -> CheckResult | None:
        """The first check after a step in vain that fails, kept with the others; None: none does, or none can see."""
        step = self._failed_step
        if step is None or self._lab is None or not isinstance(fault, DeadlineExceeded):
            return None
        ids = [id for id in self.part.checks_after(step) if number(id) <= number(self.until)]
        self.stage = later(self.stage, step)
        results = self._judged(ids, patience_seconds=0.0)  # the step has waited
        fails = [one for one in results if one.verdict is Verdict.FAILS and not one.reason.startswith(UNSEEN)]
        if fails:
            self.checks += results
        return fails[0] if fails else None

    def leave(self, *, keep: bool) -> str:
        """Let go of the lab; what is left standing, in a sentence."""
        try:
            if self._standing is None:
                return "no lab was brought up"
            if not self._standing.ours:
                self._standing.release()
                return f"lab {self.name} stands as before"
            if keep:
                self._standing.keep()
                self._standing.release()
                return f"lab {self.name} stands on (take it down: bgp-lab down --name {self.name})"
            self._standing.down()
            return f"lab {self.name} is gone"
        finally:
            self._closing.close()

    def event(self, kind: str, subject: str, detail: str = "") -> None:
        self.timeline.append(TimelineEvent(time.time_ns(), "step", kind, subject, detail))

    def _keep_step(self, result: StepResult) -> None:
        self.steps = [step for step in self.steps if step.id != result.id] + [result]
        self.event(f"step_{result.outcome}", result.id, result.detail)
        self.say(f"{result.id}  {result.title}: {result.detail} ({result.outcome}, {result.seconds:.2f} s)")

    def _tell(self, result: CheckResult) -> None:
        self.event(f"check_{result.verdict.value}", result.id, result.reason)
        self.say(f"  {MARKS[result.verdict]} {result.id}  {result.title}: {result.reason}")


def walk_standing(
    name: str | None, backend: str, options: Mapping[str, Any], lab: str, overrides: Mapping[str, str], say: Say
) -> Walk:
    """A walk on a lab that stands, for who judges and changes nothing; open it with `provision`.

    embedded: the lab of this name on this machine, as it was described when it came up; lab, overrides and options
    have no say. inventory: the lab described by them. Raises InputError, also when no such lab stands.
    """
    if backend == "embedded":
        name = name or "guide"
        spec, taken = standing_lab(name)
    else:
        spec, taken = load_lab(lab, overrides), backend_named(backend, options)
    return Walk(spec, name or spec.name, taken, part=part_for(spec), say=say)


MARKS: Mapping[Verdict, str] = {
    Verdict.HOLDS: "✔",
    Verdict.FAILS: "✘",
    Verdict.INCONCLUSIVE: "?",
    Verdict.SKIPPED: "–",
}


def passed(results: list[CheckResult], stage: str) -> bool:
    """Whether every observation up to a stage holds; a skipped one counts only when its stage has passed."""
    return all(
        result.verdict is Verdict.HOLDS or (result.verdict is Verdict.SKIPPED and result.superseded_by is not None)
        for result in results
        if reached(stage, result.id)
    )
