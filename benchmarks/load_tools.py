"""Get ab, wrk, hey and nginx (Debian's packages, unpacked); installs nothing."""

from __future__ import annotations

import shutil
import subprocess

from benchmarks.settings import CACHE

LAYER = CACHE / "load-tools"
#: apache2-utils is ab; the libraries are what wrk and ab need beyond what every Debian has.
DEBIAN = ("apache2-utils", "wrk", "hey", "nginx", "libluajit-5.1-2", "libapr1", "libaprutil1")


def load_tools() -> dict[str, str]:
    """name → path of each program. Raises CalledProcessError when apt cannot get them."""
    if not (LAYER / "complete").exists():
        shutil.rmtree(LAYER, ignore_errors=True)
        (LAYER / "archives").mkdir(parents=True)
        command = ["apt-get", "-qq", "download", *DEBIAN]
        subprocess.run(command, cwd=LAYER / "archives", check=True, capture_output=True)
        for package in (LAYER / "archives").glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", str(package), str(LAYER)], check=True)
        (LAYER / "complete").touch()
    paths = {name: f"usr/bin/{name}" for name in ("ab", "wrk", "hey")} | {"nginx": "usr/sbin/nginx"}
    return {name: str(LAYER / path) for name, path in paths.items()}


def library_path() -> str:
    """For LD_LIBRARY_PATH."""
    return ":".join(str(path) for path in sorted((LAYER / "usr" / "lib").glob("*-linux-gnu")))


def versions() -> str:
    wanted = ("apache2-utils", "wrk", "hey", "nginx")
    found = {path.name.split("_")[0]: path.name.split("_")[1] for path in (LAYER / "archives").glob("*.deb")}
    return ", ".join(f"{name} {found[name]}" for name in wanted if name in found)
