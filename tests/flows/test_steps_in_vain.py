"""A step that waited in vain: the checks that follow it say why, and the run ends with what they say."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import tasks.walk
from bgplab.backends.embedded.hosts.userland import is_ready, userland_directory
from bgplab.backends.registry import backend
from bgplab.checks.finding import Finding, Verdict, fails, holds, inconclusive
from bgplab.errors import DeadlineExceeded, LabError
from bgplab.results.directory import new_run_id
from bgplab.results.record import CheckResult
from bgplab.spec.loading import load_lab
from bgplab.steps.outcome import Step
from tasks.parts import BGP_LAB, CLUSTER_MESH
from tasks.records import run_of
from tasks.walk import Walk

SILENT = lambda _: None  # noqa: E731
IN_VAIN = DeadlineExceeded("all sessions", 30.0, "none")


class Standing:
    """A lab that stands already; nobody looks into it here."""

    already, ours = True, False

    def __init__(self) -> None:
        self.access = type("Access", (), {"hosts": ("router",)})()

    def release(self) -> None:
        pass


class Backend:
    def up(self, *_: Any, **__: Any) -> Standing:
        return Standing()

    def plan(self, *_: Any) -> list[str]:
        return []


def walk_that_fails(monkeypatch: pytest.MonkeyPatch, fault: Exception, said: Callable[[str], Finding]) -> Walk:
    """It stands at G10, G11 raises the fault, and each check says what `said` has for it."""

    def judge(lab: object, spec: object, ids: Sequence[str], stage: str, *_: Any, **__: Any) -> list[CheckResult]:
        assert stage == "G11"
        return [CheckResult.of(id, id, said(id)) for id in ids]

    def do(*_: Any) -> Any:
        raise fault

    monkeypatch.setattr(tasks.walk, "judge", judge)
    monkeypatch.setattr(tasks.walk, "open_lab", lambda access: object())
    monkeypatch.setattr(tasks.walk, "stage_of", lambda lab, spec, course: "G10")
    part = replace(BGP_LAB, steps={**BGP_LAB.steps, "G11": Step("G11", "BGP resources", lambda spec: [], do)})
    walk = Walk(load_lab("guide"), "px-vain", Backend(), part=part, until="G16", say=SILENT)  # type: ignore[arg-type]
    walk.provision("test")
    with pytest.raises(type(fault)):
        walk.do("G11")
    walk.give_up(fault)
    walk.leave(keep=True)
    return walk


def verdicts(walk: Walk) -> dict[str, str]:
    return {check.id: check.reason for check in walk.checks if int(check.id[1:]) >= 11}


def test_a_check_that_knows_why_is_the_runs_result_and_the_rest_is_not_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    walk = walk_that_fails(monkeypatch, IN_VAIN, lambda id: fails("wrong AS") if id == "G11" else holds("fine"))
    assert walk.error == ""
    assert verdicts(walk)["G11"] == "wrong AS"
    assert [reason for id, reason in verdicts(walk).items() if id in ("G15", "G16")] == [
        "not reached: G11 does not hold"
    ] * 2


@pytest.mark.parametrize(
    "finding", [holds("so it is"), inconclusive("too few"), fails("could not be seen: router: no route to host")]
)
def test_where_no_check_knows_why_the_steps_own_words_stand(monkeypatch: pytest.MonkeyPatch, finding: Finding) -> None:
    walk = walk_that_fails(monkeypatch, IN_VAIN, lambda id: finding)
    assert walk.error == str(IN_VAIN)
    assert set(verdicts(walk).values()) == {f"not reached: {IN_VAIN}"}


def test_a_lab_that_broke_is_asked_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(id: str) -> Finding:
        raise AssertionError(id)

    walk = walk_that_fails(monkeypatch, LabError("the daemon has gone"), nobody)
    assert walk.error == "the daemon has gone"


# In a real lab -------------------------------------------------------------------------------------------------------


@contextmanager
def no_way_to_the_other_cluster(walk: Walk) -> Any:
    """The nodes of the first cluster have no route to those of the second."""
    first, second = walk.spec.clusters
    with ExitStack() as undo:
        for node in first.nodes:
            for other in second.nodes:
                host, route = walk.lab.hosts[node.name], ["unreachable", f"{other.address}/32"]
                host.run(["ip", "route", "add", *route])
                undo.callback(host.run, ["ip", "route", "del", *route])
        yield


@pytest.mark.lab
def test_a_mesh_that_cannot_connect_ends_with_m05_judged_and_its_cause_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_ready(userland_directory()):
        pytest.skip("the hosts' userland is not in the cache: run `make setup`")
    monkeypatch.setenv("BGPLAB_STATE", str(tmp_path / "state"))
    walk = Walk(
        load_lab("mesh"), f"vain-{os.getpid()}", backend("embedded", {}), part=CLUSTER_MESH, until="M08", say=SILENT
    )
    try:
        walk.provision(holder="tests/flows")
        for id in ("M02", "M03", "M04"):
            walk.do(id)
        with no_way_to_the_other_cluster(walk):
            monkeypatch.setattr(tasks.walk, "STEP_DEADLINE_SECONDS", 12.0)  # agents roll out, and say what they miss
            with pytest.raises(DeadlineExceeded) as fault:
                walk.do("M05")
            walk.give_up(fault.value)
        run = run_of(walk, "cluster-mesh", new_run_id(), {"lab": "mesh"}, "again")
    finally:
        walk.leave(keep=False)
    checks = {check.id: check for check in run.checks}
    assert checks["M05"].verdict is Verdict.FAILS
    assert re.search(r"west-worker does not reach east's node at port 32380: No route to host", checks["M05"].reason)
    assert checks["M06"].verdict is Verdict.FAILS
    assert [checks[id].reason for id in ("M07", "M08")] == ["not reached: M05 does not hold"] * 2
    assert run.sentence.startswith("M05 does not hold: west is not connected to east")
    assert run.error == ""
