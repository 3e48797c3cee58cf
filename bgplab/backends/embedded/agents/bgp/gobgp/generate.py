"""Generates `gobgp_pb2.py` and `gobgp_pb2_grpc.py` from `gobgp.proto`: `python -m …agents.bgp.gobgp.generate`.

Needs grpcio-tools, which only developers have; the generated files are committed.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[5]  # the generated modules import each other from here


def generate(out: Path = ROOT) -> None:
    """Write both modules to their place under `out`. Raises CalledProcessError with protoc's words on stderr."""
    proto = (HERE / "gobgp.proto").relative_to(ROOT)
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT}", f"--python_out={out}", f"--grpc_python_out={out}"]
    subprocess.run([*command, str(ROOT / proto)], check=True)


if __name__ == "__main__":
    generate()
