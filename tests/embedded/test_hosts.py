"""Lab hosts feel like machines of their own, and nothing done on them reaches this machine."""

from __future__ import annotations

import os
import subprocess
import sys
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
    assert {"kubeconfig", "ssh_key", "ssh_host_key", "server.key"} <= private
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


def _on_this_machine(sysctl: str) -> str:
    return Path("/proc/sys", sysctl.replace(".", "/")).read_text().strip()


@pytest.mark.parametrize("sysctl", ["kernel.panic", "kernel.core_pattern", "vm.swappiness", "fs.protected_regular"])
def test_sysctls_of_the_whole_machine_cannot_be_set_on_a_host(lab: Lab, sysctl: str) -> None:
    before = _on_this_machine(sysctl)
    done = lab.hosts["router"].run(["sysctl", "-w", f"{sysctl}=1"], check=False)
    assert (done.exit_status, _on_this_machine(sysctl)) == (1, before)


def test_a_hosts_own_network_sysctls_can_be_set(lab: Lab) -> None:
    before = _on_this_machine("net.ipv4.ip_default_ttl")
    lab.hosts["k8s-ctr"].run(["sysctl", "-w", "net.ipv4.ip_default_ttl=63"])
    assert lab.hosts["k8s-ctr"].run(["sysctl", "-n", "net.ipv4.ip_default_ttl"]).stdout == "63\n"
    assert _on_this_machine("net.ipv4.ip_default_ttl") == before


def test_the_guides_sysctl_system_ends_well_and_brings_back_what_etc_says(lab: Lab) -> None:
    router, file = lab.hosts["router"], "/etc/sysctl.d/90-test.conf"
    router.run(["sh", "-c", f"echo net.ipv4.tcp_retries2=9 > {file}"])
    try:
        applied = router.run(["sudo", "sysctl", "--system"], check=False)
        assert (applied.exit_status, applied.stderr) == (0, "")
        assert f"Applying {file}" in applied.stdout
        assert router.run(["sysctl", "-n", "net.ipv4.tcp_retries2"]).stdout == "9\n"
    finally:
        router.run(["rm", file])


UNDO_MOUNTS = """
import ctypes
libc = ctypes.CDLL(None)
READ_WRITE = 0x1000 | 0x20  # MS_BIND | MS_REMOUNT without MS_RDONLY
for target in (b"/usr", b"/usr/local/bin", b"/proc/sys", b"/sys", b"/dev/null"):
    print("write to", target.decode(), libc.mount(b"", target, None, READ_WRITE, None))
for target in (b"/usr", b"/proc/sys", b"/dev/null"):
    print("take away", target.decode(), libc.umount2(target, 2))
for kind in (b"proc", b"sysfs"):
    print("another", kind.decode(), libc.mount(kind, b"/mnt", kind, 0, None))
"""


def test_root_on_a_host_cannot_undo_what_keeps_it_from_the_machine(lab: Lab) -> None:
    tried = lab.hosts["k8s-ctr"].run(["python3", "-"], stdin=UNDO_MOUNTS).stdout.splitlines()
    assert len(tried) == 10
    assert [line for line in tried if not line.endswith(" -1")] == []


def test_a_device_of_the_machines_keeps_its_mode_and_can_be_written_to(lab: Lab) -> None:
    before = Path("/dev/null").stat().st_mode
    done = lab.hosts["k8s-ctr"].run(["sh", "-c", "echo x >/dev/null || exit 9; chmod 600 /dev/null"], check=False)
    assert "Read-only file system" in done.stderr and Path("/dev/null").stat().st_mode == before


def test_a_host_does_not_hold_the_daemons_log_open(lab: Lab) -> None:
    open_files = lab.hosts["router"].run(["sh", "-c", "readlink /proc/1/fd/1 /proc/1/fd/2"]).stdout.split()
    assert open_files == ["/var/log/init.log"] * 2


@pytest.mark.skipif(
    tuple(map(int, os.uname().release.split("-")[0].split(".")[:2])) < (6, 14),
    reason="before Linux 6.14 the number of processes is limited for the whole machine only",
)
def test_a_host_full_of_processes_leaves_the_others_alone(lab: Lab) -> None:
    many = "i=0; while [ $i -lt 1100 ]; do sleep 300 >/dev/null 2>&1 & i=$((i+1)); done"
    done = lab.hosts["k8s-w0"].run(["sh", "-c", many], check=False)
    assert "Cannot fork" in done.stderr
    assert lab.hosts["router"].run(["hostname"]).stdout == "router\n"
    assert lab.hosts["k8s-ctr"].run(["hostname"]).stdout == "k8s-ctr\n"


def test_tcpdump_shows_packets(lab: Lab) -> None:
    script = "timeout 20 tcpdump -c1 -nn -i eth1 icmp & while kill -0 $!; do ping -c1 -W1 192.168.10.100; done"
    done = lab.hosts["router"].run(["sh", "-c", script], check=False)
    assert "IP 192.168.10.200 > 192.168.10.100: ICMP echo request" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sudo", "-u", "nobody", "whoami"], "sudo -u nobody is not provided on a lab host"),
        (["sudo", "-l"], "sudo -l is not provided on a lab host"),
        (["systemctl", "list-units"], "systemctl list-units is not provided on a lab host"),
        (["systemctl", "status", "nginx"], "Unit nginx.service could not be found"),
        (["journalctl", "-u", "frr", "-o", "json"], "journalctl -o json is not provided on a lab host"),
        (["journalctl", "--since", "today"], "journalctl --since is not provided on a lab host"),
    ],
)
def test_what_a_lab_host_does_not_have_it_refuses(lab: Lab, words: list[str], said: str) -> None:
    done = lab.hosts["router"].run(words, check=False)
    assert done.exit_status != 0 and said in done.stderr and not done.stdout


@pytest.mark.parametrize("words", ["-u frr -n 1", "-n1 -u frr.service", "-xeu frr -n 1 --no-pager", "-u frr -r -n1"])
def test_the_journal_understands_how_people_ask_it(lab: Lab, words: str) -> None:
    assert lab.hosts["router"].run(["journalctl", *words.split()]).stdout.endswith("Started frr.service - FRRouting.\n")


def test_a_hosts_prompt_names_it(lab: Lab) -> None:
    assert lab.hosts["router"].run(["bash", "-lc", 'cd; echo "${PS1@P}"']).stdout == "root@router:~# \n"


def test_the_shell_for_the_guide_leads_into_the_lab_and_ends_as_its_last_command(lab: Lab) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bgplab.cli.main", "shell", "--name", lab.name],
        input="ssh -n router hostname\necho $KUBECONFIG\nexit 7\n",
        env={**os.environ, "SHELL": "/bin/sh"},
        capture_output=True,
        text=True,
    )
    kubeconfig = labs.lab_directory(lab.name) / "kubeconfig"
    assert (done.returncode, done.stdout.splitlines()) == (7, ["router", str(kubeconfig)])
