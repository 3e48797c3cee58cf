"""A lab whose state is damaged or gone can still be got rid of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bgplab.backends.embedded import launch
from bgplab.lab import directory as labs
from bgplab.lab.opening import open_lab
from bgplab.lab.waiting import Deadline, wait_until
from bgplab.spec.model import LabSpec

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("hosts")]


def has_ended(record: labs.LabRecord) -> None:
    wait_until(
        lambda: labs.start_time_of(record.pid) == record.started,
        lambda runs: not runs,
        Deadline.after(15),
        "the lab's PID 1 has ended",
    )


def test_a_lab_whose_record_is_damaged_is_taken_down_by_its_name(
    bring_up: Callable[..., launch.Started], guide: LabSpec
) -> None:
    started = bring_up(guide)
    directory = labs.lab_directory(started.record.name)
    (directory / "lab.json").write_text("{ damaged")
    assert launch.down(started.record.name) is True
    has_ended(started.record)
    assert not directory.exists()


def test_a_lab_whose_directory_is_gone_ends_and_leaves_what_has_its_place(
    bring_up: Callable[..., launch.Started], guide: LabSpec, tmp_path: Path
) -> None:
    started = bring_up(guide)
    started.lease.keep()
    open_lab(labs.access_to(started.record)).hosts["router"].run(["hostname"])  # it has read all that it needs
    directory = labs.lab_directory(started.record.name)
    directory.rename(tmp_path / "moved")
    directory.mkdir()
    (directory / "of another lab").write_text("")
    has_ended(started.record)
    assert (directory / "of another lab").exists()
    assert "the lab ends: its directory is gone" in (tmp_path / "moved" / "daemon.log").read_text()
