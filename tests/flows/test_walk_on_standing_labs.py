"""A walk that only judges: it takes a lab as it stands and leaves it so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import tasks.walk
from bgplab.checks.finding import holds
from bgplab.errors import InputError, LabError
from bgplab.lab.model import Access
from bgplab.results.record import CheckResult
from bgplab.spec.loading import load_lab
from tasks.walk import Walk, walk_standing

SILENT = lambda _: None  # noqa: E731


class Standing:
    """What a backend hands over; it remembers what was asked of it."""

    def __init__(self, *, ours: bool) -> None:
        self.already, self.ours, self.asked = True, ours, []  # type: ignore[var-annotated]
        self.access = Access("a", Path("ssh_config"), Path("kubeconfig"), ("router",), {})

    def keep(self) -> None:
        self.asked.append("keep")

    def release(self) -> None:
        self.asked.append("release")

    def down(self) -> None:
        self.asked.append("down")


class Backend:
    def __init__(self, standing: Standing) -> None:
        self.standing = standing

    def up(self, *_: Any, **__: Any) -> Standing:
        return self.standing

    def plan(self, *_: Any) -> list[str]:
        return []


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[str]]:
    """The ids of every judging; all hold."""
    asked: list[Sequence[str]] = []

    def judge(lab: object, spec: object, ids: Sequence[str], *_: Any, **__: Any) -> list[CheckResult]:
        asked.append(ids)
        return [CheckResult.of(id, id, holds("so it is")) for id in ids]

    monkeypatch.setattr(tasks.walk, "judge", judge)
    monkeypatch.setattr(tasks.walk, "open_lab", lambda access: object())
    monkeypatch.setattr(tasks.walk, "stage_of", lambda lab, spec, course: "G28")
    return asked


def walk_on(standing: Standing) -> Walk:
    return Walk(load_lab("guide"), "px-unit", Backend(standing), say=SILENT)


def test_a_lab_that_is_not_ours_is_left_as_it_was(judged: list[Sequence[str]]) -> None:
    standing = Standing(ours=False)
    walk = walk_on(standing)
    walk.provision("test")
    assert walk.leave(keep=False) == "lab px-unit stands as before"
    assert standing.asked == ["release"]


def test_a_lab_that_is_ours_is_taken_down_or_kept_as_asked(judged: list[Sequence[str]]) -> None:
    for keep, asked in ((False, ["down"]), (True, ["keep", "release"])):
        standing = Standing(ours=True)
        walk = walk_on(standing)
        walk.provision("test")
        walk.leave(keep=keep)
        assert standing.asked == asked


def test_its_stage_is_read_from_the_world(judged: list[Sequence[str]]) -> None:
    walk = walk_on(Standing(ours=False))
    walk.provision("test")
    walk.leave(keep=True)
    assert (walk.stage, walk.stood_at) == ("G28", "G28")


def test_results_are_in_the_guides_order_however_they_were_judged(judged: list[Sequence[str]]) -> None:
    walk = walk_on(Standing(ours=False))
    walk.provision("test")
    walk.judge_checks(["G30", "G12"])
    walk.judge_checks(["G22", "G12"])
    walk.leave(keep=True)
    assert [check.id for check in walk.checks] == ["G12", "G22", "G30"]


def test_what_was_not_asked_for_is_not_listed_when_the_lab_breaks(judged: list[Sequence[str]]) -> None:
    walk = walk_on(Standing(ours=False))
    walk.give_up(LabError("router does not answer"), ["G12", "G22"])
    assert [(check.id, check.reason) for check in walk.checks] == [
        ("G12", "not reached: router does not answer"),
        ("G22", "not reached: router does not answer"),
    ]


def test_a_lab_that_does_not_stand_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="no lab 'nowhere' stands"):
        walk_standing("nowhere", "embedded", {}, "guide", {}, SILENT)
