"""What this machine has and lacks for an embedded lab: every point is tried, not guessed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bgplab.backends.embedded.hosts.userland import KEYRING, debian_mirror, is_ready, userland_directory
from bgplab.errors import MachineError

_TRY = {
    "user namespaces": "kernel.unshare(kernel.CLONE_NEWUSER)",
    "network, mount and PID namespaces in them": "from bgplab.backends.embedded.daemon.pid1 import enter_namespaces;"
    " enter_namespaces(); import os; pid = os.fork();"
    " pid or (kernel.make_mounts_private(), kernel.mount('proc', '/proc', 'proc'), os._exit(0));"
    " assert os.waitpid(pid, 0)[1] == 0, 'a fresh /proc cannot be mounted'",
    "user namespaces below those": "from bgplab.backends.embedded.daemon.pid1 import enter_namespaces;"
    " enter_namespaces(); kernel.unshare(kernel.CLONE_NEWUSER); kernel.map_root_to(0, 0);"
    " kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWNET)",
}
_LIFT = (
    "allow unprivileged user namespaces: sysctl -w user.max_user_namespaces=15000; on Debian also"
    " kernel.unprivileged_userns_clone=1; on Ubuntu 24.04 kernel.apparmor_restrict_unprivileged_userns=0; in a"
    " container run it with seccomp=unconfined and systempaths=unconfined"
)


@dataclass(frozen=True, slots=True)
class Point:
    """One thing looked at. needed: without it there is no lab (otherwise something is only less convenient)."""

    what: str
    fine: bool
    needed: bool
    do: str = ""


def examine() -> list[Point]:
    """All points, in the order in which one would mend them."""
    return [
        Point(f"Linux {os.uname().release}", sys.platform == "linux", True, "use a Linux machine (or VM)"),
        Point(f"Python {sys.version.split()[0]}", sys.version_info >= (3, 11), True, "install Python 3.11 or newer"),
        *(_try(what, code) for what, code in _TRY.items()),
        _device("/dev/null"),
        _userland(),
        _hash_seed(),
        _tool("ssh", "openssh-client", "`bgp-lab ssh` and `bgp-lab shell`"),
        _tool("kubectl", "kubernetes-client (≥ 1.31 for exec over WebSocket)", "typing the guide by hand"),
        _tool("chromium", "chromium", "distribution images in Prefect's UI as PNG"),
    ]


def _try(what: str, code: str) -> Point:
    source = Path(__file__).parents[3]
    program = (
        f"import sys; sys.path.insert(0, {str(source)!r}); from bgplab.backends.embedded.hosts import kernel; {code}"
    )
    done = subprocess.run([sys.executable, "-S", "-E", "-c", program], capture_output=True, text=True, check=False)
    reason = (done.stderr.strip().splitlines() or [""])[-1]
    return Point(what + (f" ({reason})" if done.returncode else ""), done.returncode == 0, True, _LIFT)


def _device(path: str) -> Point:
    return Point(path, os.path.exists(path), True, "mount a /dev")


def _userland() -> Point:
    directory = userland_directory()
    if is_ready(directory):
        return Point(f"hosts' userland in {directory}", True, True)
    try:
        debian_mirror()
        remedy = "run `bgp-lab setup`"
    except MachineError as fault:
        remedy = f"{fault.what}: {fault.do}"
    if not KEYRING.exists():
        remedy = "install the package debian-archive-keyring, then run `bgp-lab setup`"
    return Point(f"hosts' userland in {directory}", False, True, remedy)


def _hash_seed() -> Point:
    there = Path("/proc/sys/net/ipv4/fib_multipath_hash_seed").exists()
    return Point("seed of the multipath hash (kernel ≥ 6.11)", there, False, "without it two runs differ flow by flow")


def _tool(name: str, package: str, purpose: str) -> Point:
    return Point(f"{name} ({purpose})", shutil.which(name) is not None, False, f"install {package}")
