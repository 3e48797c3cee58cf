"""What every contender finds when it starts: FRR and gobgpd as if installed, in a mount namespace of its own.

The userland of lab hosts is laid under the machine's own /usr, and a private /etc, /run and /var are laid over it. That
takes a while and is no contender's work; it is done before the clock starts. Root only: an overlay over / needs it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

FRR_USER, FRR_GROUP, VTY_GROUP = 900, 900, 901
DAEMONS = """\
bgpd=yes
vtysh_enable=yes
zebra_options="  -A 127.0.0.1 -s 90000000"
bgpd_options="   -A 127.0.0.1"
staticd_options="-A 127.0.0.1"
frr_profile="traditional"
"""
PAM = "auth sufficient pam_permit.so\naccount sufficient pam_permit.so\n"


def prepare(userland: Path, layers: Sequence[Path]) -> None:
    """Lay userland and layers (directories with a usr/ in them) under this machine's. In the box, once per run."""
    lower = ":".join(["/usr", str(userland / "usr"), *(str(layer / "usr") for layer in layers)])
    _mount("overlay", "/usr", f"lowerdir={lower}")
    Path("/run").mkdir(exist_ok=True)
    for path in ("/run", "/var/log", "/var/tmp"):
        _mount("tmpfs", path)
    Path("/run/tmp").mkdir()
    os.environ["TMPDIR"] = "/run/tmp"  # what is left there goes with the box
    upper, work = Path("/run/etc/upper"), Path("/run/etc/work")
    upper.mkdir(parents=True)
    work.mkdir(parents=True)
    _mount("overlay", "/etc", f"lowerdir=/etc,upperdir={upper},workdir={work}")
    _frr()


def _frr() -> None:
    _replace("/etc/passwd", [f"frr:x:{FRR_USER}:{FRR_GROUP}::/nonexistent:/usr/sbin/nologin"])
    _replace("/etc/group", [f"frr:x:{FRR_GROUP}:", f"frrvty:x:{VTY_GROUP}:frr"])
    for path in ("/etc/frr", "/run/frr", "/var/log/frr", "/var/tmp/frr"):
        shutil.rmtree(path, ignore_errors=True)
        Path(path).mkdir(parents=True)
        os.chown(path, FRR_USER, FRR_GROUP)
    Path("/etc/frr/daemons").write_text(DAEMONS)
    Path("/etc/frr/vtysh.conf").touch()
    Path("/etc/pam.d").mkdir(exist_ok=True)
    Path("/etc/pam.d/frr").write_text(PAM)


def _replace(path: str, lines: Sequence[str]) -> None:
    """Put entries into a file of the kind of /etc/passwd, in place of those with the same names."""
    names = {line.split(":")[0] for line in lines}
    kept = [line for line in Path(path).read_text().splitlines() if line.split(":")[0] not in names]
    Path(path).write_text("\n".join([*kept, *lines]) + "\n")


def _mount(kind: str, target: str, options: str = "") -> None:
    subprocess.run(["mount", "-t", kind, *(["-o", options] if options else []), kind, target], check=True)
