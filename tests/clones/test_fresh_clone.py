"""A fresh clone and two words: `make lab`, as root and as an ordinary user of the machine."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(1200), pytest.mark.xdist_group("clones")]

REPOSITORY = Path(__file__).parents[2]
ORDINARY = f"bgp-lab-{os.getpid()}"  # of this run, so that one which was killed is in nobody's way
SYSTEM_PYTHON = "/usr/bin/python3"


@pytest.fixture(params=["root", "ordinary user"])
def clone(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, str | None]]:
    """A clone of the committed tree, and the user who owns it (None: whoever runs the tests)."""
    if request.param == "root":
        target = tmp_path / "clone"
        subprocess.run(["git", "clone", "-q", REPOSITORY, target], check=True)
        yield target, None
        return
    if os.getuid() != 0 or not shutil.which("useradd") or not Path(SYSTEM_PYTHON).exists():
        pytest.skip("another user can be made by root only, and needs the system's own Python")
    subprocess.run(["useradd", "--create-home", ORDINARY], check=True)
    try:
        target = Path(pwd.getpwnam(ORDINARY).pw_dir) / "clone"
        subprocess.run(["git", "clone", "-q", REPOSITORY, target], check=True)
        subprocess.run(["chown", "-R", f"{ORDINARY}:", target], check=True)
        yield target, ORDINARY
    finally:
        subprocess.run(["userdel", "--remove", ORDINARY], check=True, capture_output=True)


def make(word: str, clone: Path, user: str | None) -> subprocess.CompletedProcess[str]:
    """`make WORD` in the clone, with a home and an environment of the user's own."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("BGPLAB_", "PREFECT_", "XDG_", "MAKE", "MFLAGS"))
    }
    home = pwd.getpwnam(user).pw_dir if user else str(clone.parent)
    cache = {} if user else {"XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))}
    environment |= {"HOME": home, "XDG_STATE_HOME": f"{home}/state", "PYTHON": SYSTEM_PYTHON, **cache}
    return subprocess.run(
        ["make", word], cwd=clone, env=environment, user=user, group=user, capture_output=True, text=True
    )


def test_make_lab_holds_in_a_fresh_clone_and_a_second_one_fetches_nothing(clone: tuple[Path, str | None]) -> None:
    where, user = clone
    first = make("lab", where, user)
    assert first.returncode == 0, first.stdout[-3000:] + first.stderr[-3000:]
    assert "All 30 observations hold." in first.stdout
    report = Path(first.stdout.rsplit("report: ", 1)[1].splitlines()[0])
    assert report.is_file() and where in report.parents
    again = make("setup", where, user)
    assert (again.returncode, again.stdout + again.stderr) == (0, "")
