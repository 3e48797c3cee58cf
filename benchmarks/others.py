"""Get mininet (Debian's package, unpacked) and munet (PyPI, in a virtual environment of its own); installs nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.settings import CACHE

#: bridge-utils and net-tools are what mininet calls.
DEBIAN = ("mininet", "bridge-utils", "net-tools")
MUNET = "munet==0.17.3"


def mininet_layer() -> Path:
    """A directory with a usr/ that holds mininet. Raises CalledProcessError when apt cannot get it."""
    layer = CACHE / "mininet"
    if not (layer / "complete").exists():
        shutil.rmtree(layer, ignore_errors=True)
        (layer / "archives").mkdir(parents=True)
        subprocess.run(["apt-get", "-qq", "download", *DEBIAN], cwd=layer / "archives", check=True, capture_output=True)
        for package in (layer / "archives").glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", str(package), str(layer)], check=True)
        for name in ("bin", "sbin"):  # before Debian merged them into /usr
            if (layer / name).is_dir():
                shutil.copytree(layer / name, layer / "usr" / name, dirs_exist_ok=True)
        (layer / "complete").touch()
    return layer


def munet_python() -> Path:
    """The Python of munet's environment. Raises CalledProcessError when pip cannot get it."""
    environment = CACHE / "munet"
    python = environment / "bin" / "python"
    if not (environment / "complete").exists():
        shutil.rmtree(environment, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
        command = [str(python), "-m", "pip", "--disable-pip-version-check", "-q", "install", MUNET]
        subprocess.run(command, check=True, capture_output=True)
        (environment / "complete").touch()
    return python


def versions() -> dict[str, str]:
    packages = sorted((CACHE / "mininet" / "archives").glob("mininet_*.deb"))
    return {
        "compared with": f"{MUNET.replace('==', ' ')}, mininet {packages[0].name.split('_')[1]}" if packages else "",
    }
