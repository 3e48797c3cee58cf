"""Pages that scripts write are current; when one is not, the script's name says what to run."""

from __future__ import annotations

import subprocess
import sys

import pytest
from documents import ROOT


@pytest.mark.parametrize("script", ["guide_map.py", "lab_fields.py"])
def test_a_generated_page_is_current(script: str) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / script, "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
