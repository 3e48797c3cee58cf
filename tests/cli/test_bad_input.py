"""Every bad description through the command line: status 2, each problem with its reason and remedy, nothing made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

BAD = Path(__file__).parents[1] / "spec" / "bad"
DESCRIPTIONS = sorted(path.stem for path in BAD.glob("*.yaml"))
COMMANDS = {"up": ["up", "--name", "cli-bad"], "run": ["run"], "manifests": ["manifests"]}
OVERRIDES = {
    "load_test.requests=0": "load_test.requests",
    "load_test.requests=many": "load_test.requests",
    "load_test.reqests=5": "load_test.reqests",
    "routers[0].asn=0": "routers[0].asn",
    "clusters[0].nodes[0].address=10.0.0.1": "clusters[0].nodes[0].address",
    "clusters[0].nodes[0].name=k8s;reboot": "clusters[0].nodes[0].name",
    "nowhere.at.all=1": "nowhere",
}
HEADLINE = "wrong input, nothing was changed:"


@dataclass(frozen=True)
class Told:
    """What all command lines ended with, and what there was afterwards of what they could have made."""

    ends: dict[tuple[str, str], dict[str, Any]]
    left_behind: int
    made: list[str]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Every description through every command, in a home of its own where nothing is there before."""
    home = tmp_path_factory.mktemp("home")
    asked = [(command, name) for command in COMMANDS for name in DESCRIPTIONS]
    orders = [[*COMMANDS[command], "--lab", f"{name}.yaml"] for command, name in asked]
    asked += [("up", override) for override in OVERRIDES]
    orders += [["up", "--lab", "guide", "--set", override] for override in OVERRIDES]
    beside = set(BAD.rglob("*"))  # where they run, and so where `run` would put its results
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("forked_cli.py")],
        input=json.dumps(orders),
        cwd=BAD,
        env={**_without_ours(os.environ), "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    given = json.loads(done.stdout)
    made = sorted(map(str, [*home.rglob("*"), *(set(BAD.rglob("*")) - beside)]))
    yield Told(dict(zip(asked, given["ends"], strict=True)), given["left_behind"], made)


def _without_ours(environment: os._Environ[str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith(("BGPLAB_", "PREFECT_", "XDG_"))}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_a_bad_description_ends_with_status_2_and_says_these_words(told: Told, name: str, command: str) -> None:
    end = told.ends[command, name]
    assert (end["status"], end["stdout"]) == (2, ""), end["stderr"]
    said, expected = end["stderr"].splitlines(), (BAD / f"{name}.txt").read_text().splitlines()
    assert HEADLINE in said[0]
    assert [line.replace(f"{BAD}/", "") for line in said[1:]] == expected


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_each_problem_comes_with_field_and_value_then_reason_then_remedy(told: Told, name: str) -> None:
    lines = told.ends["up", name]["stderr"].splitlines()[1:]
    assert lines and len(lines) % 3 == 0, lines
    for what, why, do in zip(lines[::3], lines[1::3], lines[2::3], strict=True):
        where, _, said = what.partition(": ")
        assert where.strip() and said.strip() and not what.startswith(" "), what
        assert why.removeprefix("  why: ").strip() and why.startswith("  why: "), why
        assert do.removeprefix("  do:  ").strip() and do.startswith("  do:  "), do


@pytest.mark.parametrize("override", OVERRIDES)
def test_a_bad_override_names_its_field_and_value(told: Told, override: str) -> None:
    end = told.ends["up", override]
    assert (end["status"], end["stdout"]) == (2, ""), end["stderr"]
    assert OVERRIDES[override] in end["stderr"] and "  do:  " in end["stderr"]


def test_nothing_was_made_by_any_of_them(told: Told) -> None:
    assert (told.made, told.left_behind) == ([], 0)


def test_a_description_that_is_not_there_is_wrong_input_too(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bgplab.cli.main", "run", "--lab", str(tmp_path / "none.yaml")],
        env={**_without_ours(os.environ), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and "none.yaml" in done.stderr and "  do:  " in done.stderr
    assert list(tmp_path.iterdir()) == []
