"""Every check holds where everything is right, on every lab that is shipped, at the stages in which it must."""

from __future__ import annotations

from pathlib import Path

import pytest
from right_world import right_world

from bgplab.checks.all import all_checks
from bgplab.checks.finding import Verdict
from bgplab.checks.stages import number
from bgplab.spec.loading import load_lab

LABS = Path(__file__).parents[2] / "deployments" / "labs"
SHIPPED = [path.stem for path in sorted(LABS.glob("*.yaml")) if len(load_lab(path).clusters) == 1]  # a BGP lab has one
STAGES = ["G01", "G03", "G07", "G08", "G09", "G10", "G11", "G15", "G18", "G19", "G21", "G24", "G28"]
CASES = [
    (id, stage)
    for id, check in all_checks().items()
    for stage in STAGES
    if number(stage) >= number(check.holds_from) and (not check.until or number(stage) < number(check.until))
]


@pytest.fixture(scope="module", params=SHIPPED)
def worlds(request: pytest.FixtureRequest) -> dict[str, object]:
    spec = load_lab(LABS / f"{request.param}.yaml")
    return {stage: right_world(spec, stage) for stage in STAGES}


@pytest.mark.parametrize(("id", "stage"), CASES)
def test_a_check_holds_in_a_right_lab(id: str, stage: str, worlds: dict) -> None:
    finding = worlds[stage].judge(id)
    assert finding.verdict is Verdict.HOLDS, finding.reason
