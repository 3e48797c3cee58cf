"""Every check of the mesh holds where everything is right, with two clusters and with three."""

from __future__ import annotations

import pytest
from mesh_world import MeshWorld, mesh_spec, right_mesh

from bgplab.checks.all import all_checks
from bgplab.checks.explain import by_hand, explain
from bgplab.checks.finding import Verdict
from bgplab.checks.stages import number

STAGES = [f"M{row:02d}" for row in range(1, 16)]
CASES = [
    (id, stage)
    for id, check in all_checks("M").items()
    for stage in STAGES
    if number(stage) >= number(check.holds_from) and (not check.until or number(stage) < number(check.until))
]


@pytest.fixture(scope="module", params=["mesh", "three-clusters"])
def worlds(request: pytest.FixtureRequest) -> dict[str, MeshWorld]:
    spec = mesh_spec(request.param)
    return {stage: right_mesh(spec, stage) for stage in STAGES}


@pytest.mark.parametrize(("id", "stage"), CASES)
def test_a_check_holds_in_a_right_mesh(id: str, stage: str, worlds: dict[str, MeshWorld]) -> None:
    finding = worlds[stage].judge(id)
    assert finding.verdict is Verdict.HOLDS, finding.reason


def test_there_is_a_check_for_every_row_of_the_guides_second_part() -> None:
    assert list(all_checks("M")) == [f"M{row:02d}" for row in range(1, 16)]


@pytest.mark.parametrize("lab", ["mesh", "three-clusters"])
@pytest.mark.parametrize("id", all_checks("M"))
def test_every_check_explains_itself_with_commands_for_that_mesh(id: str, lab: str) -> None:
    spec = mesh_spec(lab)
    assert explain(all_checks("M")[id], spec).startswith(f"{id}: ")
    commands = by_hand(all_checks("M")[id], spec)
    assert commands
    assert not any("{" in line.replace("{.data", "") for line in commands), commands


def test_a_command_in_a_context_is_said_for_each_cluster() -> None:
    said = by_hand(all_checks("M")["M06"], mesh_spec())
    assert said[:2] == tuple(
        f"kubectl --context kind-{name} exec -n kube-system ds/cilium -c cilium-agent -- cilium node list"
        for name in ("west", "east")
    )
