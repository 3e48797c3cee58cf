"""Generates the Python modules beside `gobgp.proto`: `python -m bgplab.backends.embedded.agents.bgp.gobgp.generate`.

Needs grpcio-tools, which only developers have; the generated files are committed.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[5]  # the generated modules import each other from here
NAMES = ("gobgp_pb2.py", "gobgp_pb2.pyi", "gobgp_pb2_grpc.py")
UNCHECKED = "# ruff: noqa\n# fmt: off\n# mypy: ignore-errors\n"


def generate(out: Path = ROOT) -> Path:
    """Write the modules to their place under `out`, and return it. Raises CalledProcessError."""
    outputs = [f"--{kind}_out={out}" for kind in ("python", "pyi", "grpc_python")]
    proto = str(HERE / "gobgp.proto")
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT}", *outputs, proto], check=True)
    place = out / HERE.relative_to(ROOT)
    for name in NAMES:
        (place / name).write_text(UNCHECKED + (place / name).read_text())
    return place


if __name__ == "__main__":
    generate()
