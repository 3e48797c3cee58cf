"""A lab that cannot start says why, leaves its log and nothing else; what comes after `ready` is waited for."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from marked import Marked

from bgplab.backends.embedded import launch, planning, starting
from bgplab.backends.embedded.backend import EmbeddedBackend
from bgplab.errors import LabError, MachineError
from bgplab.lab import directory as labs
from bgplab.lab.opening import open_lab
from bgplab.lab.waiting import Deadline, wait_until
from bgplab.spec.model import LabSpec

pytestmark = pytest.mark.lab

OWNER = """
import sys
from bgplab.backends.embedded import launch
from bgplab.spec.loading import load_lab
from bgplab.backends.embedded.daemon import credentials
def never(directory):
    print("half way", flush=True)
    sys.stdin.read()
credentials.make_credentials = never
launch.up(load_lab("guide"), "half-way", holder="owner")
"""


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BGPLAB_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def nothing_is_left(state: Path) -> None:
    wait_until(
        Marked(state.parent).processes, lambda seen: not seen, Deadline.after(15), "no process of the lab is left"
    )
    wait_until(lambda: list((state / "labs").iterdir()), lambda seen: not seen, Deadline.after(5), "no directory left")


def test_a_router_that_does_not_start_is_named_and_the_log_stays(
    guide: LabSpec, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "router_files", lambda _: {"/etc/frr/daemons": "exit 1\n"})
    with pytest.raises(LabError, match="router: `systemctl start frr` ended with status 1"):
        launch.up(guide, "no-frr", holder="test")
    assert "systemctl start frr" in (state / "last-failed-start.log").read_text()
    nothing_is_left(state)


def test_a_daemon_that_cannot_load_what_it_needs_leaves_its_traceback(
    guide: LabSpec, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "DAEMON", "bgplab.no_such_module")
    with pytest.raises(LabError, match="the lab ended while it started"):
        launch.up(guide, "no-module", holder="test")
    assert "No module named 'bgplab.no_such_module'" in (state / "last-failed-start.log").read_text()
    nothing_is_left(state)


def test_a_machine_without_namespaces_is_told_what_to_allow(state: Path) -> None:
    program = (
        "from bgplab.backends.embedded import launch; from bgplab.spec.loading import load_lab;"
        " launch.up(load_lab('guide'), 'no-namespaces', holder='test')"
    )
    no_more = 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$0" -c "$1"'
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "sh", "-c", no_more, sys.executable, program],
        capture_output=True,
        text=True,
    )
    assert f"{MachineError.__name__}: the lab's namespaces could not be made: " in done.stderr
    assert "unshare: No space left on device" in done.stderr
    assert "user.max_user_namespaces" in done.stderr
    nothing_is_left(state)


def test_a_launcher_that_is_killed_half_way_leaves_nothing(state: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert owner.stdout and owner.stdout.readline() == "half way\n"
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    nothing_is_left(state)


def test_what_was_begun_ahead_is_gone_when_no_lab_comes_of_it(state: Path) -> None:
    with EmbeddedBackend().ahead():
        assert Marked(state.parent).processes()
    assert not Marked(state.parent).processes()


def test_a_lab_can_be_made_of_what_was_begun_ahead(guide: LabSpec, state: Path) -> None:
    backend = EmbeddedBackend()
    with backend.ahead():
        lab = backend.up(guide, "ahead", holder="test", say=lambda _: None)
        assert open_lab(lab.access).hosts["router"].run(["hostname"]).stdout == "router\n"
    lab.down()
    nothing_is_left(state)


def test_the_first_command_waits_until_ssh_is_served(bring_up: Callable[..., launch.Started], guide: LabSpec) -> None:
    lab = open_lab(labs.access_to(bring_up(guide).record))
    assert {name: shell.run(["hostname"]).stdout for name, shell in lab.hosts.items()} == {
        name: f"{name}\n" for name in lab.hosts
    }


def test_a_lab_that_cannot_serve_ssh_ends_and_leaves_its_log(
    guide: LabSpec, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "asyncssh.py").write_text("raise ImportError('asyncssh is broken')\n")
    monkeypatch.syspath_prepend(tmp_path / "broken")
    try:
        pidfd = os.pidfd_open(launch.up(guide, "no-ssh", holder="test").record.pid)
    except (LabError, ProcessLookupError):
        pass  # it ended so soon that no lease could be taken
    else:
        assert select.select([pidfd], [], [], 15)[0]
        os.close(pidfd)
    assert "asyncssh is broken" in (state / "last-failed-start.log").read_text()
    nothing_is_left(state)
