"""Run checks: look, judge, wait while the world may be late, and keep the evidence."""

from __future__ import annotations

import dataclasses
import importlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bgplab.checks.finding import Finding, Verdict, fails, inconclusive, skipped
from bgplab.checks.registry import Check
from bgplab.checks.stages import reached
from bgplab.errors import CommandFailed, InputError, LabError
from bgplab.judge.bgp_lab import BGP_LAB
from bgplab.judge.context import Context
from bgplab.judge.course import Course
from bgplab.judge.faults import NeedsAChange
from bgplab.judge.sight import Sight
from bgplab.lab.model import Lab
from bgplab.lab.waiting import Deadline
from bgplab.observe.side_by_side import side_by_side
from bgplab.results.record import CheckResult
from bgplab.spec.model import LabSpec

BETWEEN_LOOKS_SECONDS = 0.1
UNSEEN = "could not be seen"
#: A check without patience is judged once, but what could not even be seen is looked at again for so long.
FAULT_PATIENCE_SECONDS = 3.0


def run(
    lab: Lab,
    spec: LabSpec,
    ids: Sequence[str],
    stage: str,
    context: Context | None = None,
    *,
    course: Course = BGP_LAB,
    patience_seconds: float | None = None,
    on_result: Callable[[CheckResult], None] = lambda _: None,
) -> list[CheckResult]:
    """Judge the checks `ids` of a lab in `stage` (see stage_of), and return their results in the order asked.

    context: of the run, so that what steps measured and earlier stages showed is known. course: whose checks they are
    (the BGP lab's). patience_seconds: at most so
    much for each check, instead of its own. on_result: called as each verdict falls, from whatever thread.
    Raises InputError for an id that is no check.
    """
    context = context or Context()
    trials = [
        Trial(check, lab, spec, stage, context, course, patience_seconds, on_result)
        for check in _asked_for(ids, course)
    ]
    if any(trial.check.stays and not trial.done for trial in trials):
        _warm_up_statistics()
    slow = [trial for trial in trials if course.slow & set(trial.check.needs)]
    quick = [trial for trial in trials if trial not in slow]
    side_by_side(_until_all_are_done, [group for group in (slow, quick) if group])
    return [trial.result for trial in trials]


def _warm_up_statistics() -> None:
    """Import what load tests will be judged with while a window is watched: alone it takes up to a second, later on."""
    threading.Thread(target=importlib.import_module, args=("scipy.special",), daemon=True).start()


def _asked_for(ids: Sequence[str], course: Course) -> list[Check]:
    known = course.checks()
    unknown = [id for id in ids if id not in known]
    if unknown:
        raise InputError("check", f"there is no check {', '.join(unknown)}", do=f"choose from {', '.join(known)}")
    return [known[id] for id in ids]


def _until_all_are_done(trials: Sequence[Trial]) -> None:
    """Look again and again, all open trials at the same sight."""
    while waiting := [trial for trial in trials if not trial.done]:
        one = waiting[0]
        sight = Sight(one.lab, one.spec, one.stage, one.context, one.course)
        sight.see_all({kind for trial in waiting for kind in trial.check.needs})
        for trial in waiting:
            trial.look(sight)
        if any(not trial.done for trial in waiting):
            time.sleep(BETWEEN_LOOKS_SECONDS)


@dataclass(eq=False)
class Trial:
    """One check on its way to a verdict."""

    check: Check
    lab: Lab
    spec: LabSpec
    stage: str
    context: Context
    course: Course
    most_patience: float | None
    on_result: Callable[[CheckResult], None]
    looks: int = 0
    held_since: float | None = None
    started: float = field(default_factory=time.monotonic)
    _result: CheckResult | None = None

    def __post_init__(self) -> None:
        self.faults_until = Deadline.after(FAULT_PATIENCE_SECONDS)
        patience = self.check.patience_seconds
        self.deadline = Deadline.after(patience if self.most_patience is None else min(patience, self.most_patience))
        if self.check.until and reached(self.stage, self.check.until):
            self._end(skipped(f"superseded by {self.check.until}"), superseded_by=self.check.until)
        elif not reached(self.stage, self.check.holds_from):
            told = f"not reached yet: it holds from {self.check.holds_from} on, the lab is at {self.stage}"
            self._end(skipped(told))

    @property
    def done(self) -> bool:
        return self._result is not None

    @property
    def result(self) -> CheckResult:
        assert self._result is not None, f"{self.check.id} has not been judged"
        return self._result

    def look(self, sight: Sight) -> None:
        """One look: ends the trial when the verdict is final, else it goes on."""
        self.looks += 1
        finding = _find(self.check, sight)
        if finding.reason.startswith(UNSEEN) and not (self.deadline.passed and self.faults_until.passed):
            return
        if finding.verdict is Verdict.SKIPPED:
            self._end(finding, sight)
        elif self.check.stays and (self.held_since is not None or finding.verdict is Verdict.HOLDS):
            self._watch(finding, sight)
        elif finding.verdict is Verdict.HOLDS or self.deadline.passed:
            self._end(self._with_waiting(finding), sight)

    def _watch(self, finding: Finding, sight: Sight) -> None:
        """Something that must stay away: from the beginning of the first look at which it was, over a whole window."""
        if self.held_since is None:
            self.held_since = sight.began
        window, watched = self.context.window_seconds, time.monotonic() - self.held_since
        figures = {
            **finding.figures,
            "window_seconds": round(watched, 3),
            "looks": self.looks,
            "propagation_seconds": self.context.propagation_seconds,
        }
        if finding.verdict is not Verdict.HOLDS:
            told = f"held for {watched:.1f} s, then: {finding.reason}"
            self._end(dataclasses.replace(finding, reason=told, figures=figures), sight)
        elif watched >= window and sight.began > self.held_since:  # one slow look alone is a moment, no window
            told = f"{finding.reason} (over {watched:.1f} s, {self.looks} looks)"
            self._end(dataclasses.replace(finding, reason=told, figures=figures), sight)

    def _with_waiting(self, finding: Finding) -> Finding:
        if finding.verdict is Verdict.HOLDS or self.deadline.seconds <= 0:
            return finding
        return dataclasses.replace(finding, reason=f"{finding.reason} (last seen after {self.deadline.seconds:g} s)")

    def _end(self, finding: Finding, sight: Sight | None = None, superseded_by: str | None = None) -> None:
        evidence: dict[str, Any] | None = sight.evidence(self.check.needs) if sight else None
        if evidence is not None and finding.evidence is not None:
            evidence["finding"] = finding.evidence
        if sight and finding.verdict is not Verdict.SKIPPED:
            self.course.judged(self.check, sight)
        self._result = CheckResult.of(
            self.check.id,
            self.check.title,
            dataclasses.replace(finding, evidence=evidence),
            seconds=time.monotonic() - self.started,
            stage=self.stage,
            superseded_by=superseded_by,
            commands=self.course.by_hand(self.check, self.spec, sight),
        )
        self.on_result(self._result)


def _find(check: Check, sight: Sight) -> Finding:
    """What the check says of this sight; an observation that could not be made is a finding, too."""
    try:
        seen: list[Any] = [sight.see(kind) for kind in check.needs]
        expected = sight.expected
    except NeedsAChange as lacking:
        return skipped(str(lacking))
    except CommandFailed as fault:
        return fails(f"{UNSEEN}: {fault}")
    except LabError as fault:
        return inconclusive(f"{UNSEEN}: {fault}")
    return check.judge(*seen, expected)
