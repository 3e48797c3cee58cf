"""The registry of checks: one per row of the guide, and each explains itself."""

from __future__ import annotations

import shlex
from functools import cache
from pathlib import Path

import pytest

from bgplab.checks.all import all_checks
from bgplab.checks.claims import difference
from bgplab.checks.explain import by_hand, explain
from bgplab.checks.finding import holds
from bgplab.checks.registry import CHECKS, Explanation, check
from bgplab.checks.stages import later, number, reached
from bgplab.spec.loading import load_lab
from bgplab.spec.model import LabSpec

LABS = Path(__file__).parents[2] / "deployments" / "labs"


@cache
def described(lab: str) -> LabSpec:
    return load_lab(LABS / f"{lab}.yaml")


def test_there_is_a_check_for_every_row_of_the_guide() -> None:
    assert list(all_checks()) == [f"G{row:02d}" for row in range(1, 31)]


def test_a_second_check_of_the_same_id_is_an_error() -> None:
    register = check("G22", title="again", needs=(), explanation=Explanation("", "", ()))
    with pytest.raises(ValueError, match="two checks are called G22: vip_has_one_path_per_node and"):
        register(lambda expected: holds(""))
    assert CHECKS["G22"].judge.__name__ == "vip_has_one_path_per_node"


@pytest.mark.parametrize("id", all_checks())
def test_a_check_holds_from_its_own_step_or_one_before_and_until_a_later_one(id: str) -> None:
    asked = all_checks()[id]
    assert number(asked.holds_from) <= number(id)
    assert asked.until is None or number(asked.until) > number(id)


@pytest.mark.parametrize("lab", ["guide", "two-routers", "five-nodes", "scale"])
@pytest.mark.parametrize("id", all_checks())
def test_every_check_explains_itself_with_commands_for_that_lab(id: str, lab: str) -> None:
    spec = described(lab)
    said = explain(all_checks()[id], spec)
    assert said.startswith(f"{id}: ")
    commands = by_hand(all_checks()[id], spec)
    assert commands
    assert not any("{" in line and "{if" not in line for line in commands)


def test_a_command_on_routers_is_said_for_each_router() -> None:
    spec = described("two-routers")
    said = by_hand(all_checks()["G23"], spec)
    assert said == (
        "ssh router-a curl -s 172.16.1.1 | grep Hostname",
        "ssh router-b curl -s 172.16.1.1 | grep Hostname",
    )


def test_sets_are_compared_whole() -> None:
    assert difference("hops", ["a", "b"], ["b", "a"]) == []
    assert difference("hops", ["a", "x"], ["a", "b"]) == ["hops: missing b, unexpected x"]


def test_stages_are_ordered_by_number() -> None:
    assert reached("G14", "G09")
    assert not reached("G09", "G14")
    assert later("G09", "G14") == "G14"


@pytest.mark.parametrize("letter", ["G", "E"])
def test_what_is_typed_into_a_host_reaches_its_shell_whole(letter: str) -> None:
    """ssh joins words with spaces: one that holds a space must be the only one."""
    for asked in all_checks(letter).values():
        for line in by_hand(asked, described("guide")):
            if line.startswith("ssh "):
                there = shlex.split(line.split(" | ")[0] if "'" not in line.split(" | ")[0] else line)[2:]
                assert len(there) == 1 or not any(" " in word for word in there), (asked.id, line)
