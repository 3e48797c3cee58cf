"""Lab hosts feel like machines of their own, and nothing done on them reaches this machine."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bgplab.errors import CommandFailed, LabError
from bgplab.lab import directory as labs
from bgplab.lab.model import Lab
from bgplab.lab.waiting import Deadline, wait_until

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("hosts")]


def test_every_host_answers_over_ssh_by_its_name(lab: Lab) -> None:
    assert {name: shell.run(["hostname"]).stdout.strip() for name, shell in lab.hosts.items()} == {
        name: name for name in lab.hosts
    }


def test_output_errors_and_exit_status_come_back_whole(lab: Lab) -> None:
    done = lab.hosts["router"].run(["sh", "-c", "seq 100000; echo wrong >&2; exit 3"], check=False)
    assert (done.exit_status, len(done.lines), done.stderr) == (3, 100000, "wrong\n")


def test_standard_input_reaches_the_command(lab: Lab) -> None:
    text = "x" * 300_000
    assert lab.hosts["router"].run(["cat"], stdin=text).stdout == text


def test_a_command_that_fails_names_host_command_and_reason(lab: Lab) -> None:
    with pytest.raises(CommandFailed, match=r"router: `ls /nowhere` ended with status 2: .*No such file"):
        lab.hosts["router"].run(["ls", "/nowhere"])


def test_a_command_that_does_not_end_is_given_up_in_time(lab: Lab) -> None:
    with pytest.raises(LabError, match=r"did not end within 0\.2 s"):
        lab.hosts["router"].run(["sleep", "60"], timeout=0.2)


def test_a_started_command_can_be_stopped_and_keeps_its_output(lab: Lab) -> None:
    seen: list[str] = []
    script = "trap 'echo ended; exit 0' INT; echo began; while :; do sleep 0.01; done"
    running = lab.hosts["router"].start(["sh", "-c", script], on_line=seen.append)
    while not seen:
        pass
    assert running.stop().stdout == "began\nended\n"


def test_a_file_put_on_a_host_is_there_and_not_on_this_machine(lab: Lab) -> None:
    lab.hosts["router"].put(b"hello\n", "/srv/bgp-lab-test/file", 0o600)
    assert lab.hosts["router"].run(["stat", "-c", "%a", "/srv/bgp-lab-test/file"]).stdout.strip() == "600"
    assert lab.hosts["router"].read("/srv/bgp-lab-test/file") == b"hello\n"
    assert not Path("/srv/bgp-lab-test").exists()


def test_scp_writes_into_the_host_only(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("by scp")
    config = labs.lab_directory(lab.name) / "ssh_config"
    subprocess.run(["scp", "-q", "-F", config, tmp_path / "file", "k8s-w1:/etc/bgp-lab-scp"], check=True)
    assert lab.hosts["k8s-w1"].read("/etc/bgp-lab-scp") == b"by scp"
    assert not Path("/etc/bgp-lab-scp").exists()


@pytest.mark.parametrize("term", ["xterm", ""])
def test_openssh_gives_a_terminal_on_the_host(lab: Lab, term: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", term)
    config = labs.lab_directory(lab.name) / "ssh_config"
    done = subprocess.run(
        ["ssh", "-tt", "-F", config, "router", "tty; hostname"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.stdout.replace("\r", "").splitlines() == ["/dev/pts/0", "router"]


def test_a_host_sees_only_its_own_processes(lab: Lab) -> None:
    commands = lab.hosts["k8s-w0"].run(["ps", "-eo", "comm="]).stdout.split()
    assert "bgpd" not in commands and "ps" in commands


def test_killing_everything_on_a_host_leaves_the_lab_alive(lab: Lab) -> None:
    lab.hosts["k8s-w0"].run(["sh", "-c", "kill -9 -1"], check=False)
    assert lab.hosts["k8s-w0"].run(["hostname"]).stdout == "k8s-w0\n"
    assert lab.hosts["router"].run(["hostname"]).stdout == "router\n"


def test_another_key_is_refused(lab: Lab, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    port = labs.require_record(lab.name).ports["ssh:router"]
    options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes"]
    done = subprocess.run(
        ["ssh", "-F", "/dev/null", *options, "-i", tmp_path / "key", "-p", str(port), "root@127.0.0.1", "true"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 255 and "Permission denied" in done.stderr


def test_keys_and_kubeconfig_are_readable_by_their_owner_only(lab: Lab) -> None:
    directory = labs.lab_directory(lab.name)
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in directory.iterdir() if path.is_file()}
    private = {name for name, mode in modes.items() if mode == "0o600"}
    assert {"kubeconfig", "ssh_key", "ssh_host_key", "server.key", "settings.json"} <= private
    assert oct(directory.stat().st_mode & 0o777) == "0o700"


@pytest.mark.slow
def test_deleting_everything_on_a_host_harms_nothing_outside(lab: Lab) -> None:
    before = sorted(path.name for path in Path("/usr/bin").iterdir())
    lab.hosts["k8s-w1"].run(["sh", "-c", "rm -rf --no-preserve-root / 2>/dev/null; true"], check=False, timeout=120)
    assert sorted(path.name for path in Path("/usr/bin").iterdir()) == before
    assert lab.hosts["router"].run(["hostname"]).stdout == "router\n"


def test_commands_that_end_at_once_do_not_break_the_connection_for_others(lab: Lab) -> None:
    # paramiko's late end-of-file did: the server must then close the whole connection
    with ThreadPoolExecutor(12) as pool:
        done = list(pool.map(lambda n: lab.hosts["router"].run(["echo", str(n)]).stdout, range(400)))
    assert done == [f"{n}\n" for n in range(400)]


def test_clients_that_go_away_do_not_harm_the_host(lab: Lab) -> None:
    for _ in range(10):
        with pytest.raises(LabError):
            lab.hosts["k8s-ctr"].run(["sh", "-c", "seq 100000; sleep 60"], timeout=0.3)
    assert lab.hosts["k8s-ctr"].run(["hostname"]).stdout == "k8s-ctr\n"
    seen = wait_until(
        lambda: lab.hosts["k8s-ctr"].run(["pgrep", "-c", "sleep"], check=False).stdout,
        lambda count: count == "0\n",
        Deadline.after(10),
        "nothing left of what they asked for",
    )
    assert seen == "0\n"
