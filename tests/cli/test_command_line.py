"""The command line as its users meet it: results on standard output, progress on standard error, an exit status."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bgplab.cli.access import ssh
from bgplab.errors import MachineError
from bgplab.lab import directory as labs
from bgplab.lab.directory import state_directory
from bgplab.lab.ssh_shell import open_shell

BAD = sorted((Path(__file__).parents[1] / "spec" / "bad").glob("*.yaml"))


def bgp_lab(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bgplab.cli.main", *words],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
    )


@pytest.fixture(scope="module")
def standing() -> Iterator[dict[str, Any]]:
    """A lab brought up by the command itself; what it printed."""
    done = bgp_lab("up", "--name", "cli-lab", "--json")
    assert done.returncode == 0, done.stderr
    yield json.loads(done.stdout)
    bgp_lab("down", "--name", "cli-lab")


def test_help_names_every_command_and_ends_well() -> None:
    done = bgp_lab("--help")
    assert done.returncode == 0
    for command in (
        "run",
        "up",
        "down",
        "list",
        "doctor",
        "exec",
        "ssh",
        "kubeconfig",
        "check",
        "probe",
        "report",
        "schema",
    ):
        assert f"\n  {command} " in done.stdout


def test_a_typo_is_met_with_what_was_meant() -> None:
    done = bgp_lab("chek")
    assert (done.returncode, "Did you mean 'check'?" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    "words", ["exec router --name x -- ps", "exec router --name=x ps", "exec router --json ps", "ssh router --name x"]
)
def test_an_option_after_the_host_is_refused_with_the_right_order(words: str) -> None:
    done = bgp_lab(*words.split())
    assert done.returncode == 2
    option = words.split()[2].partition("=")[0]
    assert f"{words.split()[0]} {option} … HOST -- COMMAND" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("failover --parameter rate=0", "flow failover takes no rate of 0"),
        ("--parameter speed=1", "flow bgp-lab has no parameter speed of its own"),
        ("--name Bad", "'Bad' is not a lab name"),
        ("--backend inventory --ssh-config /no/file --kubeconfig /none", "--ssh-config: /no/file is not there"),
    ],
)
def test_a_run_that_cannot_be_is_refused_before_a_server_is_started(words: str, said: str) -> None:
    done = bgp_lab("run", *words.split())
    assert (done.returncode, said in done.stderr) == (2, True)
    assert "Prefect" not in done.stderr


@pytest.mark.parametrize("words", ["exec --name none router -- --name", "ssh --name none router -n"])
def test_what_is_the_hosts_own_is_handed_on(words: str) -> None:
    done = bgp_lab(*words.split())
    assert (done.returncode, "no lab 'none' stands" in done.stderr) == (2, True)


def test_a_user_without_a_name_can_do_everything_but_openssh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)

    def unknown(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr("pwd.getpwuid", unknown)
    config = tmp_path / "ssh_config"
    config.write_text("Host router\n  HostName 127.0.0.1\n  IdentityFile ~/none\n")
    try:
        assert open_shell("router", config).name == "router"
    finally:
        os.environ.pop("LOGNAME", None)  # it was named by its number
    monkeypatch.setattr("bgplab.cli.access.access_of", lambda name, host: SimpleNamespace(ssh_config=config))
    with pytest.raises(MachineError, match="OpenSSH runs for users with a name only"):
        ssh.main(["--name", "x", "router"], standalone_mode=False)


def test_without_colours_a_terminal_gets_none() -> None:
    said = {}
    for setting in ("", "1"):
        leader, follower = os.openpty()
        command = [sys.executable, "-m", "bgplab.cli.main", "run", "--lab", "nope"]
        done = subprocess.run(command, stderr=follower, env={**os.environ, "NO_COLOR": setting}, timeout=120)
        os.close(follower)
        said[setting] = os.read(leader, 4096).decode()
        os.close(leader)
        assert done.returncode == 2
    assert "\x1b[" in said[""] and "\x1b[" not in said["1"]


def test_results_that_cannot_be_kept_end_a_run_before_it_begins(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = bgp_lab("run", BGPLAB_RESULTS=str(tmp_path / "file"))
    assert (done.returncode, done.stdout) == (3, "")
    assert "results cannot be kept in" in done.stderr and "Prefect" not in done.stderr


@pytest.mark.parametrize(("imported", "farewell"), [("", "later"), ("import tasks.prefect_server", "")])
def test_an_interrupted_command_does_not_wait_for_prefect_to_end(imported: str, farewell: str) -> None:
    script = f"""
import atexit, sys
from bgplab.cli import main
{imported}
atexit.register(print, "later")
def interrupted(**_): raise KeyboardInterrupt
main.cli.main = interrupted
main.main()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (130, farewell, "interrupted\n")


def test_steps_complete_by_the_flow_they_belong_to() -> None:
    asked = {"_BGP_LAB_COMPLETE": "bash_complete", "COMP_CWORD": "4", "COMP_WORDS": "bgp-lab run bgp-lab --until g2"}
    script = Path(sys.executable).with_name("bgp-lab")  # the variable is named after the command
    said = subprocess.run([script], capture_output=True, text=True, env={**os.environ, **asked}, timeout=60).stdout
    assert said.split() == [f"plain,G2{digit}" for digit in range(10)]


def test_a_lab_that_does_not_stand_is_taken_down_with_a_word() -> None:
    done = bgp_lab("down", "--name", "cli-none")
    assert done.returncode == 0 and done.stdout.startswith("lab cli-none did not stand")


@pytest.mark.parametrize("path", BAD[::8], ids=lambda path: path.stem)
def test_a_bad_description_ends_with_status_2_and_creates_nothing(path: Path) -> None:
    before = sorted(labs.standing_labs(), key=str)
    done = bgp_lab("up", "--lab", str(path), "--name", "cli-bad")
    assert done.returncode == 2, done.stderr
    assert done.stdout == "" and "do:" in done.stderr
    assert not (state_directory() / "labs" / "cli-bad").exists()
    assert sorted(labs.standing_labs(), key=str) == before


def test_run_refuses_a_bad_description_before_prefect_is_started() -> None:
    done = bgp_lab("run", "--lab", str(BAD[0]))
    assert done.returncode == 2 and "Prefect" not in done.stderr


def test_a_name_with_path_characters_is_refused() -> None:
    done = bgp_lab("up", "--name", "../evil")
    assert done.returncode == 2 and "is not a lab name" in done.stderr


def test_an_unknown_lab_names_those_that_are_shipped() -> None:
    done = bgp_lab("up", "--lab", "guidde")
    assert done.returncode == 2 and "guide" in done.stderr


def test_a_machine_without_the_userland_says_what_to_do_with_status_3(tmp_path: Path) -> None:
    done = bgp_lab("up", "--name", "cli-none", BGPLAB_CACHE=str(tmp_path))
    assert done.returncode == 3 and "make setup" in done.stderr


def test_the_dry_run_prints_every_steps_commands_and_touches_nothing() -> None:
    done = bgp_lab("run", "--dry-run", "--json", "--until", "G11")
    steps = json.loads(done.stdout)["steps"]
    assert [step["id"] for step in steps] == ["G03", "G07", "G08", "G09", "G10", "G11"]
    assert any("kubectl label nodes k8s-ctr" in command for command in steps[4]["commands"])


@pytest.mark.parametrize("typed", ["g11", "11", "G11"])
def test_a_step_is_understood_however_it_is_typed(typed: str) -> None:
    steps = json.loads(bgp_lab("run", "--dry-run", "--json", "--until", typed).stdout)["steps"]
    assert steps[-1]["id"] == "G11"


@pytest.mark.parametrize("typed", ["G31", "g0", "14x", "-3", "VIP"])
def test_a_step_that_there_is_not_is_refused_as_it_was_meant(typed: str) -> None:
    done = bgp_lab("run", "--dry-run", f"--until={typed}")
    assert done.returncode == 2 and "there is no step" in done.stderr


def test_checks_and_explanations_are_found_however_they_are_typed() -> None:
    assert bgp_lab("explain", "g4", "14").stdout == bgp_lab("explain", "G04", "G14").stdout
    assert "no lab 'nowhere' stands" in bgp_lab("check", "g4", "--name", "nowhere").stderr


def test_down_without_a_name_means_the_only_lab_that_stands(tmp_path: Path) -> None:
    state = {"BGPLAB_STATE": str(tmp_path)}
    assert bgp_lab("down", **state).stdout == "no lab stands\n"
    with record_of_a_lab(tmp_path, "one"):
        assert json.loads(bgp_lab("down", "--json", **state).stdout) == {"down": ["one"]}
    assert json.loads(bgp_lab("list", "--json", **state).stdout) == []


def test_down_without_a_name_is_refused_when_several_labs_stand(tmp_path: Path) -> None:
    state = {"BGPLAB_STATE": str(tmp_path)}
    with record_of_a_lab(tmp_path, "one"), record_of_a_lab(tmp_path, "two"):
        done = bgp_lab("down", **state)
        assert (done.returncode, done.stdout) == (2, "")
        assert "2 labs stand: one, two" in done.stderr and "bgp-lab down --all" in done.stderr
        assert len(json.loads(bgp_lab("list", "--json", **state).stdout)) == 2
        assert json.loads(bgp_lab("down", "--all", "--json", **state).stdout) == {"down": ["one", "two"]}


@contextmanager
def record_of_a_lab(state: Path, name: str) -> Iterator[None]:
    """What `list` and `down` know a lab by: its record, and a process that is its PID 1."""
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    started = labs.start_time_of(process.pid)
    assert started is not None
    directory = state / "labs" / name
    directory.mkdir(parents=True)
    labs.write_record(directory, labs.LabRecord(name, "embedded", process.pid, started, (), {}, {}, {}, time.time()))
    try:
        yield
    finally:
        process.kill()
        process.wait()


def test_the_schema_is_json_schema() -> None:
    assert json.loads(bgp_lab("schema").stdout)["$schema"].startswith("https://json-schema.org/")


def test_explain_says_what_why_and_how() -> None:
    told = bgp_lab("explain", "G14").stdout
    assert all(part in told for part in ("G14", "Observed:", "Why:", "By hand:", "ip route"))


@pytest.mark.lab
@pytest.mark.xdist_group("cli")
class TestStandingLab:
    def test_up_prints_one_object_with_all_ways_in(self, standing: dict[str, Any]) -> None:
        assert standing["hosts"] == ["router", "k8s-ctr", "k8s-w1", "k8s-w0"]
        assert Path(standing["kubeconfig"]).is_file() and Path(standing["ssh_config"]).is_file()

    def test_up_twice_is_one_lab(self, standing: dict[str, Any]) -> None:
        again = json.loads(bgp_lab("up", "--name", "cli-lab", "--json").stdout)
        assert (again["pid"], again["already"]) == (standing["pid"], True)

    def test_up_refuses_another_description_under_the_same_name(self, standing: dict[str, Any]) -> None:
        done = bgp_lab("up", "--lab", "five-nodes", "--name", "cli-lab")
        assert done.returncode == 2 and "another description" in done.stderr

    def test_list_shows_it(self, standing: dict[str, Any]) -> None:
        assert "cli-lab" in [one["name"] for one in json.loads(bgp_lab("list", "--json").stdout)]

    def test_exec_passes_output_and_exit_status_on(self, standing: dict[str, Any]) -> None:
        done = bgp_lab("exec", "--name", "cli-lab", "k8s-w0", "--", "sh", "-c", "hostname; exit 7")
        assert (done.returncode, done.stdout) == (7, "k8s-w0\n")

    def test_an_unknown_host_names_those_there_are(self, standing: dict[str, Any]) -> None:
        done = bgp_lab("exec", "--name", "cli-lab", "k8s-w9", "true")
        assert done.returncode == 2 and "router, k8s-ctr, k8s-w1, k8s-w0" in done.stderr

    def test_ssh_runs_the_guides_words(self, standing: dict[str, Any]) -> None:
        done = bgp_lab("ssh", "--name", "cli-lab", "router", "sudo vtysh -c 'show ip bgp summary'")
        assert done.stdout.strip() == "% No BGP neighbors found in VRF default"

    def test_a_request_without_credentials_gets_401(self, standing: dict[str, Any]) -> None:
        port = labs.require_record("cli-lab").ports["kube:kubernetes"]
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"https://127.0.0.1:{port}/api/v1/nodes", context=context)
        assert refused.value.code == 401

    def test_check_judges_what_stands_and_skips_what_is_not_reached(self, standing: dict[str, Any]) -> None:
        done = bgp_lab("check", "--name", "cli-lab", "--json")
        verdicts = {one["id"]: one["verdict"] for one in json.loads(done.stdout)["checks"]}
        assert (verdicts["G01"], verdicts["G02"], verdicts["G11"]) == ("holds", "holds", "skipped")
