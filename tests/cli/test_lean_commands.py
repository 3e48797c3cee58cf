"""Commands that only look or end load nothing of what bringing a lab up or judging it takes: they answer at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"asyncio", "asyncssh", "cryptography", "kubernetes", "pandas", "paramiko", "prefect", "pydantic", "yaml"}
PROGRAM = """
import json, sys
from bgplab.cli.main import main
try:
    main()
finally:
    print("\\n" + json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize("words", ["--help", "list", "down --name none", "down --all", "version --help", "up --help"])
def test_a_command_loads_nothing_heavy(words: str, tmp_path: Path) -> None:
    environment = {"BGPLAB_STATE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words.split()], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert not HEAVY & set(json.loads(done.stdout.splitlines()[-1]))
