"""Every bad description beside its exact messages: `bad/NAME.yaml` and `bad/NAME.txt`."""

from __future__ import annotations

from pathlib import Path

import pytest

from bgplab.errors import InputError
from bgplab.spec.loading import load_lab

BAD = Path(__file__).parent / "bad"


@pytest.mark.parametrize("name", sorted(file.stem for file in BAD.glob("*.yaml")))
def test_a_bad_description_is_refused_with_these_words(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BAD)
    with pytest.raises(InputError) as refused:
        load_lab(Path(f"{name}.yaml"))
    said = str(refused.value).replace(f"{BAD}/", "")
    assert said.splitlines() == (BAD / f"{name}.txt").read_text().splitlines()


def test_every_message_says_where_and_what_and_what_to_do() -> None:
    for file in BAD.glob("*.yaml"):
        with pytest.raises(InputError) as refused:
            load_lab(file)
        assert refused.value.exit_status == 2
        for problem in refused.value.problems:
            assert problem.where and problem.what and problem.do, (file.name, problem)


def test_no_expected_message_is_left_without_its_description() -> None:
    assert {file.stem for file in BAD.glob("*.txt")} == {file.stem for file in BAD.glob("*.yaml")}
