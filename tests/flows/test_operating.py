"""What operating does with a worker's flows, and what a run says, without a server."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from bgplab.backends.registry import backend
from bgplab.checks.finding import Finding, fails, holds
from bgplab.cli.run import run_flow
from bgplab.errors import InputError, LabError
from bgplab.results.history import differences
from bgplab.results.record import CheckResult
from bgplab.spec.loading import load_lab
from flows.bgp_lab import CHAPTERS
from tasks.flow_parameters import overrides_as_yaml
from tasks.guide import wanted
from tasks.operating import WORKER_VARIABLE, end_processes, processes_of
from tasks.records import unused_run_id
from tasks.reporting import NotHolding, what_changed
from tasks.walk import Walk

WORKER = f"bgp-lab-test-{os.getpid()}"
SILENT = lambda _: None  # noqa: E731


@contextmanager
def flow_of(worker: str, then: str) -> Iterator[subprocess.Popen[str]]:
    """A process as Prefect's worker starts it, ready for signals."""
    program = f"import signal; {then}; print('ready', flush=True); signal.pause()"
    settings = {**os.environ, WORKER_VARIABLE: worker}
    with subprocess.Popen([sys.executable, "-c", program], env=settings, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def test_flows_are_found_by_the_worker_that_started_them() -> None:
    with flow_of(WORKER, "pass") as process, flow_of(f"{WORKER}-other", "pass"):
        assert processes_of(WORKER) == [process.pid]
    assert processes_of(WORKER) == []


def test_flows_without_a_worker_are_told_to_end_and_those_that_do_not_are_named() -> None:
    said: list[str] = []
    with flow_of(WORKER, "pass") as ends, flow_of(WORKER, "signal.signal(signal.SIGTERM, signal.SIG_IGN)") as stays:
        assert end_processes(WORKER, 1.0, said.append) == [stays.pid]
        assert ends.wait(10) == -signal.SIGTERM
    assert sorted(said) == sorted(
        f"flow process {pid} is told to end, so that it takes its lab down" for pid in (ends.pid, stays.pid)
    )


def judged(**findings: Finding) -> list[CheckResult]:
    return [CheckResult.of(id, id, finding) for id, finding in findings.items()]


def test_what_changed_is_named_by_verdict_and_cut_short() -> None:
    before = {check.id: check.verdict for check in judged(G28=holds("live"), G29=holds("even"))}
    now = judged(G28=fails("not live"), G29=holds("even"))
    assert what_changed(differences(before, now)) == "Not as in the run before: G28: holds → fails"
    many = judged(**{f"G{n:02d}": fails("no host answers") for n in range(1, 31)})
    assert what_changed(differences({check.id: holds("so").verdict for check in many}, many)).endswith(
        "G08: holds → fails; 22 more"
    )
    assert what_changed(()) == ""


@pytest.mark.parametrize(
    ("fault", "said", "logged"),
    [
        (NotHolding("G28 does not hold"), "Engine execution exited with unexpected exception", False),
        (LabError("no host answers"), "Engine execution exited with unexpected exception", False),
        (InputError("run_id", "is there"), "Encountered exception during execution: InputError('…')", True),
        (ValueError("a bug"), "Engine execution exited with unexpected exception", True),
    ],
)
def test_a_verdict_is_no_traceback_in_prefects_log(fault: Exception, said: str, logged: bool) -> None:
    logger = logging.getLogger("prefect.flow_runs")
    record = logger.makeRecord(logger.name, logging.ERROR, "", 0, said, (), (type(fault), fault, None))
    assert bool(logger.filter(record)) is logged
    assert (record.exc_info is not None) is isinstance(fault, LabError | ValueError)


def test_steps_after_the_last_one_wanted_are_not_started() -> None:
    walk = Walk(load_lab("guide"), "px-unit", backend("embedded", {}), until="G08", say=SILENT)
    assert [chapter.name.split()[0] for chapter in wanted(walk, CHAPTERS)] == ["G03", "G07", "G08"]


def test_a_name_that_no_lab_can_have_is_refused_before_anything_is_done() -> None:
    with pytest.raises(InputError, match="'Bad Name' is not a lab name"):
        Walk(load_lab("guide"), "Bad Name", backend("embedded", {}), say=SILENT)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("embedded", {"ssh_confg": "x"}, "unexpected keyword argument 'ssh_confg'\n  do:  it takes grace_seconds"),
        ("inventory", {"kubeconfig": "x"}, "missing a required argument: 'ssh_config'"),
        ("kind", {}, "'kind' is no backend"),
    ],
)
def test_a_backends_options_are_those_it_takes(name: str, options: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        backend(name, options)


def test_a_runs_name_leads_nowhere_else_and_to_no_other_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BGPLAB_RESULTS", str(tmp_path))
    (tmp_path / "bgp-lab" / "guide" / "mine").mkdir(parents=True)
    assert unused_run_id("bgp-lab", "guide", "ours") == "ours"
    assert unused_run_id("bgp-lab", "guide", None) != unused_run_id("bgp-lab", "guide", "")
    for asked, said in (("../ours", "is no name for a directory"), ("mine", "is there already")):
        with pytest.raises(InputError, match=said):
            unused_run_id("bgp-lab", "guide", asked)


def test_a_run_whose_server_went_away_counts_by_what_it_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Flow:
        name = "bgp-lab"

        def __call__(self, **_: object) -> None:
            raise httpx.ConnectError("connection refused")

    monkeypatch.setenv("BGPLAB_RESULTS", str(tmp_path))
    said: list[str] = []
    parameters, choice = {"name": "guide", "run_id": "mine"}, SimpleNamespace(flow=Flow())
    with pytest.raises(LabError, match="Prefect's server went away during the run: connection refused"):
        run_flow(parameters, said.append, choice)  # type: ignore[arg-type]
    (written := tmp_path / "bgp-lab" / "guide" / "mine").mkdir(parents=True)
    assert run_flow(parameters, said.append, choice) == (written, False)  # type: ignore[arg-type]
    assert said == ["Prefect's server went away during the run: connection refused; what the run has seen is all there"]


def test_overrides_may_be_numbers_as_a_form_has_them() -> None:
    given = {"load_test.requests": 4000, "clusters[0].app.replicas": "2", "ecmp.hash_policy": None}
    spec = load_lab("guide", overrides_as_yaml({"load_test.requests": 4000}))
    assert spec.load_test.requests == 4000
    assert overrides_as_yaml(given) == {
        "load_test.requests": "4000",
        "clusters[0].app.replicas": "2",
        "ecmp.hash_policy": "null",
    }
