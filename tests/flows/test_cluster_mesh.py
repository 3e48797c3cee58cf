"""The flow cluster-mesh: its order is the guide's, and walked in real labs everything holds and nothing is left."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bgplab.backends.embedded.hosts.userland import is_ready, userland_directory
from bgplab.backends.registry import backend
from bgplab.checks.finding import Verdict
from bgplab.errors import InputError
from bgplab.lab.directory import read_record
from bgplab.results.directory import load_run, new_run_id
from bgplab.spec.loading import load_lab
from bgplab.steps.mesh import MESH_STEPS
from flows.cluster_mesh import CHAPTERS, FLOW, LAST, cluster_mesh
from tasks.mesh import warn
from tasks.parts import BGP_LAB, CLUSTER_MESH, part_for
from tasks.records import again_running, run_of, write_run
from tasks.walk import Walk

needs_userland = pytest.mark.skipif(
    not is_ready(userland_directory()), reason="the hosts' userland is not in the cache: run `make setup`"
)


def test_the_flow_has_every_step_in_the_guides_order() -> None:
    assert [chapter.name.split()[0] for chapter in CHAPTERS] == list(MESH_STEPS)
    assert CLUSTER_MESH.last == LAST


def test_every_check_is_judged_after_exactly_one_step() -> None:
    judged = [id for step in (CLUSTER_MESH.first, *MESH_STEPS) for id in CLUSTER_MESH.checks_after(step)]
    assert judged == list(CLUSTER_MESH.course.checks())
    assert CLUSTER_MESH.checks_after("M05") == ["M05", "M06"]
    assert CLUSTER_MESH.checks_after("M09") == ["M09", "M10"]


def test_a_stage_is_recognised_by_steps_of_the_part_only() -> None:
    assert set(CLUSTER_MESH.course.traces) <= {CLUSTER_MESH.first, *MESH_STEPS}


@pytest.mark.parametrize("until", ["M00", "M16", "G05", "m05", ""])
def test_steps_that_are_not_there_are_refused_as_parameters(until: str) -> None:
    with pytest.raises(Exception, match="until"):
        cluster_mesh.validate_parameters({"until": until})


def test_a_description_of_the_other_kind_is_refused() -> None:
    with pytest.raises(InputError, match="'guide' has one cluster, these steps are about several clusters"):
        CLUSTER_MESH.refuse_unfit(load_lab("guide"))
    with pytest.raises(InputError, match="'mesh' has 2 clusters, these steps are about one cluster"):
        BGP_LAB.refuse_unfit(load_lab("mesh"))


def test_a_description_finds_its_part() -> None:
    assert part_for(load_lab("guide")) is BGP_LAB
    assert part_for(load_lab("three-clusters")) is CLUSTER_MESH


def test_a_release_known_to_break_global_services_is_told_before_anything_is_done() -> None:
    said: list[str] = []
    spec = load_lab("mesh", {"clusters[0].cilium_version": "'1.18.0'"})
    walk = Walk(spec, "unused", backend("embedded", {}), part=CLUSTER_MESH, say=said.append)
    warn(walk)
    assert len(said) == 1
    assert re.match("warning: west: Cilium 1.18.0 is known to break global Services: .*#40848", said[0])
    assert not walk.is_open


def test_the_same_run_once_more_is_one_command() -> None:
    parameters = {"lab": "mesh", "overrides": {"clusters[0].app.replicas": "1"}, "until": "M05", "keep": True}
    assert again_running(FLOW, "mine", parameters, LAST) == (
        "bgp-lab run cluster-mesh --lab mesh --name mine --set 'clusters[0].app.replicas=1' --until M05 --keep"
    )
    usual = {**parameters, "overrides": {}, "until": LAST, "keep": False}
    assert again_running(FLOW, "mine", usual, LAST).endswith("--name mine")


# In real labs --------------------------------------------------------------------------------------------------------


@pytest.fixture
def walked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Walk]:
    """Walk a lab of this test's own, as the flow's tasks do."""
    monkeypatch.setenv("BGPLAB_STATE", str(tmp_path / "state"))

    def walk_through(lab: str, until: str) -> Walk:
        walk = Walk(load_lab(lab), f"mesh-{os.getpid()}", backend("embedded", {}), part=CLUSTER_MESH, until=until)
        try:
            walk.provision(holder="tests/flows")
            walk.judge(CLUSTER_MESH.first)
            for id in MESH_STEPS:
                if walk.wants(id):
                    walk.do(id)
                    walk.judge(id)
            write_run(run_of(walk, FLOW, new_run_id(), {"lab": lab}, "again"), tmp_path / "results")
        finally:
            walk.leave(keep=False)
        return walk

    return walk_through


@needs_userland
def test_everything_holds_in_a_real_mesh_and_nothing_is_left(walked: Callable[..., Walk], tmp_path: Path) -> None:
    walk = walked("mesh", LAST)
    assert {check.id: check.reason for check in walk.checks if check.verdict is not Verdict.HOLDS} == {}
    assert [check.id for check in walk.checks] == list(CLUSTER_MESH.course.checks())
    assert read_record(walk.name) is None
    (directory,) = (tmp_path / "results" / FLOW / walk.name).iterdir()
    run = load_run(directory)
    assert len(run.truth_table) == 64
    assert [event.check_id for event in run.convergence] == ["M12", "M13"]
    assert {test.name for test in run.load_tests} == {
        f"{row} from {client}" for row in ("M10", "M11", "M14") for client in ("west", "east")
    }
    kept = (
        "".join(file.read_text() for file in (directory / "evidence").iterdir()) + (directory / "run.json").read_text()
    )
    assert "BEGIN" not in kept
    assert '"ca.key"' not in kept or "(left out)" in kept


@needs_userland
@pytest.mark.slow
def test_everything_holds_with_three_clusters(walked: Callable[..., Walk]) -> None:
    walk = walked("three-clusters", "M14")
    assert {check.id: check.reason for check in walk.checks if check.verdict is not Verdict.HOLDS} == {}


@needs_userland
@pytest.mark.slow
def test_the_command_runs_the_flow_and_goes_on_where_a_run_has_stopped(tmp_path: Path) -> None:
    name = f"mesh-cli-{os.getpid()}"
    settings = {"BGPLAB_STATE": str(tmp_path / "state"), "BGPLAB_RESULTS": str(tmp_path / "results")}
    environment = {**{k: v for k, v in os.environ.items() if k != "PREFECT_API_URL"}, **settings}

    def command(*words: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "bgplab.cli.main", *words]
        return subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=280)

    try:
        first = command("run", "cluster-mesh", "--name", name, "--until", "3", "--keep", "--json")
        assert first.returncode == 0, first.stderr
        assert [check["id"] for check in json.loads(first.stdout)["checks"]] == ["M01", "M02", "M03"]
        status = command("mesh", "status", "--name", name, "--json")
        assert status.returncode == 1  # Cilium is there, and nobody is connected
        assert {each["name"]: each["connections"] for each in json.loads(status.stdout)["clusters"]} == {
            "west": [],
            "east": [],
        }
        second = command("run", "cluster-mesh", "--name", name, "--until", "M05", "--keep", "--json")
        assert second.returncode == 0, second.stderr
        assert re.search(r"M02  install Cilium: .*\(already", second.stderr)
        status = command("mesh", "status", "--name", name)
        assert status.returncode == 0
        assert "2/2 agents ready" in status.stdout
    finally:
        command("down", "--name", name)
