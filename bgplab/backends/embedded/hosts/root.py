"""A host's own root directory: the userland read-only, a small private /etc, private /var /run /tmp /root /dev.

Runs inside the host's new mount namespace, as PID 1 of its new PID namespace. Standard library only.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from bgplab.backends.embedded.hosts import kernel

#: What of the userland's /etc a host gets a private copy of; everything else is left out.
ETC = (
    "bash.bashrc", "debian_version", "frr", "iproute2", "ld.so.conf", "ld.so.conf.d", "os-release", "protocols",
    "services", "sysctl.d", "vim",
)  # fmt: skip

PASSWD = """\
root:x:0:0:root:/root:/bin/bash
frr:x:0:0:Frr routing suite:/nonexistent:/usr/sbin/nologin
tcpdump:x:0:0::/nonexistent:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
"""
# One user is all a rootless lab has, so frr and tcpdump are other names for it, which Debian's programs insist on.
GROUP = "root:x:0:\nfrr:x:0:\nfrrvty:x:0:frr\ntty:x:0:\nnogroup:x:65534:\n"

# vtysh asks PAM for an account (as the package's own /etc/pam.d/frr has it: root may).
PAM = "auth sufficient pam_permit.so\naccount sufficient pam_permit.so\n"

PROFILE = """\
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
PS1='\\u@\\h:\\w# '
"""

MOST_PROCESSES = 1024

DEVICES = ("null", "zero", "full", "random", "urandom", "tty")

DIRECTORIES = (
    "usr", "etc", "var/log/frr", "var/lib", "var/tmp/frr", "var/cache", "run/frr", "run/lab", "tmp", "root", "home",
    "dev/pts", "dev/shm", "proc", "sys", "opt/bgp-lab", "mnt",
)  # fmt: skip


@dataclass(frozen=True)
class RootPlan:
    """userland: directory with an unpacked Debian. shared: seen as /run/lab. files: path → text, written last."""

    hostname: str
    userland: str
    tools: str
    programs: str
    shared: str
    files: dict[str, str] = field(default_factory=dict)


def build_root(plan: RootPlan, at: str = "/tmp") -> None:
    """Make the root directory on a tmpfs over `at` and move into it."""
    kernel.make_mounts_private()
    # Opened first: what is bound may itself lie under `at`, which the tmpfs is about to hide.
    userland, tools, programs, shared = (
        _Source(path) for path in (plan.userland, plan.tools, plan.programs, plan.shared)
    )
    kernel.mount("tmpfs", at, "tmpfs", kernel.MS_NOSUID, "mode=0755,size=512m")
    root = Path(at)
    for name in DIRECTORIES:
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    (root / "var/run").symlink_to("/run")
    kernel.bind(f"{userland.path}/usr", f"{at}/usr", read_only=True)
    _mask_sysctls_of_the_machine(f"{at}/usr/lib/sysctl.d")
    kernel.bind(tools.path, f"{at}/usr/local/bin", read_only=True)
    kernel.bind(programs.path, f"{at}/opt/bgp-lab", read_only=True)
    kernel.bind(shared.path, f"{at}/run/lab")
    _fill_etc(root / "etc", Path(userland.path) / "etc", plan.hostname)
    for source in (userland, tools, programs, shared):
        source.close()
    _make_devices(root / "dev")
    kernel.mount("proc", f"{at}/proc", "proc")
    _limit_processes(f"{at}/proc")
    _protect_proc(f"{at}/proc")
    mount_sys(f"{at}/sys")
    for path, text in plan.files.items():
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    os.chmod(root / "tmp", 0o1777)
    kernel.pivot_root(at)


class _Source:
    """A directory held open, so that it can be reached whatever is mounted over its path."""

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_PATH | os.O_DIRECTORY)
        self.path = f"/proc/self/fd/{self._descriptor}"

    def close(self) -> None:
        os.close(self._descriptor)


def _fill_etc(etc: Path, source: Path, hostname: str) -> None:
    for name in ETC:
        origin = source / name
        if origin.is_dir():
            shutil.copytree(origin, etc / name, symlinks=True)
        elif origin.is_file():
            shutil.copy(origin, etc / name)
    (etc / "passwd").write_text(PASSWD)
    (etc / "group").write_text(GROUP)
    (etc / "hostname").write_text(f"{hostname}\n")
    (etc / "hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {hostname}\n")
    (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")
    (etc / "sysctl.d").mkdir(exist_ok=True)
    (etc / "pam.d").mkdir()
    (etc / "pam.d" / "frr").write_text(PAM)
    (etc / "pam.d" / "other").write_text(PAM)
    (etc / "profile").write_text(PROFILE)


def _make_devices(dev: Path) -> None:
    for name in DEVICES:
        (dev / name).touch()
        # read-only keeps the machine's node from chmod and touch; the device is written to all the same
        kernel.bind(f"/dev/{name}", str(dev / name), read_only=True)
    kernel.mount("devpts", str(dev / "pts"), "devpts", kernel.MS_NOSUID, "newinstance,ptmxmode=0666,mode=0620")
    (dev / "ptmx").symlink_to("pts/ptmx")
    for name, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        (dev / name).symlink_to(f"/proc/self/fd{target}")


def _limit_processes(proc: str) -> None:
    """So that a fork bomb stays its host's own business. Since Linux 6.14 the limit is the PID namespace's own; before
    it is the whole machine's, and not ours to set.
    """
    major, minor = os.uname().release.split(".")[:2]
    if (int(major), int(re.sub(r"\D.*", "", minor))) >= (6, 14):
        with contextlib.suppress(OSError):  # a lab without the limit is still a lab
            Path(f"{proc}/sys/kernel/pid_max").write_text(str(MOST_PROCESSES))


def _protect_proc(proc: str) -> None:
    """Make read-only what of /proc is the whole machine's: every sysctl but the network's, interrupts, sysrq, …

    Those files belong to the machine's root, and root on a host of a lab that root started is no other user to them:
    `sysctl --system` on a router would set the machine's fs.protected_regular.
    """
    network = _Source(f"{proc}/sys/net")
    for name in os.listdir(proc):
        path = f"{proc}/{name}"
        if name.isdigit() or os.path.islink(path):
            continue
        if os.path.isdir(path) or os.stat(path).st_mode & 0o222:
            kernel.bind(path, path, read_only=True)
    kernel.bind(network.path, f"{proc}/sys/net")
    network.close()


def _mask_sysctls_of_the_machine(directory: str) -> None:
    """What the distribution sets at boot (fs.protected_…) no host may set, and `sysctl --system`, as the guide has it
    typed, would end with status 1 for that. What a person sets is in /etc/sysctl.d.
    """
    if os.path.isdir(directory):
        kernel.mount("tmpfs", directory, "tmpfs", kernel.MS_RDONLY | kernel.MS_NOSUID, "mode=0755,size=4k")


def mount_sys(target: str) -> None:
    """A /sys of the network namespace one is in. One that is read-only and locked lets none through that is not."""
    try:
        kernel.mount("sysfs", target, "sysfs", kernel.MS_RDONLY | kernel.MS_NOSUID)
    except OSError:
        # Containers often mask /sys, and then a user namespace may not mount it; nothing in the lab needs it.
        return
