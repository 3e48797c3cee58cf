"""Labs are found by what lies in the state directory, whatever state that is in."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from bgplab.errors import LabError, MachineError
from bgplab.lab import directory as labs


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BGPLAB_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def a_lab(name: str) -> Path:
    """The directory of a lab that stands: its process is this one."""
    started = labs.start_time_of(os.getpid())
    assert started is not None
    record = labs.LabRecord(name, "embedded", os.getpid(), started, ("router",), {}, {}, {}, time.time())
    directory = labs.lab_directory(name)
    directory.mkdir(parents=True)
    labs.write_record(directory, record)
    return directory


def test_a_lab_that_stands_is_found() -> None:
    a_lab("one")
    assert [record.name for record in labs.standing_labs()] == ["one"]


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"7", b'{"name": "two"}', b"\xff\xfe\x00", b'{"hosts": 3}', b'{"hosts": [], "pid": 1}'],
)
def test_a_record_that_cannot_be_read_does_not_hide_the_others(content: bytes) -> None:
    a_lab("one")
    (a_lab("two") / "lab.json").write_bytes(content)
    assert [record.name for record in labs.standing_labs()] == ["one"]
    assert labs.read_record("two") is None


@pytest.mark.parametrize("pid", [0, -1, "1", None, 1.5])
def test_a_record_without_a_process_is_none(pid: object) -> None:
    directory = a_lab("one")
    given = json.loads((directory / "lab.json").read_text())
    (directory / "lab.json").write_text(json.dumps({**given, "pid": pid}))
    assert labs.read_record("one") is None


def test_a_record_that_is_a_directory_is_none() -> None:
    directory = a_lab("one")
    (directory / "lab.json").unlink()
    (directory / "lab.json").mkdir()
    assert labs.standing_labs() == []


def test_what_a_later_version_wrote_beside_is_left_out() -> None:
    directory = a_lab("one")
    before = labs.read_record("one")
    given = json.loads((directory / "lab.json").read_text())
    (directory / "lab.json").write_text(json.dumps({**given, "colour": "red"}))
    assert labs.read_record("one") == before


def test_a_directory_whose_process_is_gone_is_swept_away() -> None:
    directory = a_lab("one")
    record = labs.read_record("one")
    assert record is not None
    (directory / "lab.json").write_text(json.dumps({**asdict(record), "started": record.started - 1}))
    assert labs.standing_labs() == [] and not directory.exists()


def test_directories_with_other_names_are_none_of_ours(state: Path) -> None:
    for name in ("Upper", "ünï", "with blank", "-dash"):
        (state / "labs" / name).mkdir(parents=True)
    assert labs.standing_labs() == []


def test_a_lock_names_its_holder_while_it_is_held(state: Path) -> None:
    with labs.lab_lock("one", "a test (pid 1)"):
        with pytest.raises(LabError, match=r"in use by a test \(pid 1\)"), labs.lab_lock("one", "another"):
            pass
        assert (state / "locks" / "one.lock").stat().st_mode & 0o777 == 0o600
    with labs.lab_lock("one", "another"):
        pass
    assert (state / "locks" / "one.lock").read_text() == ""


def test_a_state_directory_that_cannot_be_had_is_said_in_words(state: Path) -> None:
    state.write_text("a file")
    with pytest.raises(MachineError, match=r"locks cannot be written to: Not a directory") as told:
        with labs.lab_lock("one", "a test"):
            pass
    assert "BGPLAB_STATE" in told.value.do
