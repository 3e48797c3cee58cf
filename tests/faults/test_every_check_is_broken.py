"""No check is left out: each was seen to fail in a real lab, by a test that bears its name."""

from __future__ import annotations

import re
from pathlib import Path

from bgplab.checks.all import all_checks


def test_every_check_is_seen_to_fail_in_a_real_lab() -> None:
    seen = set()
    for file in Path(__file__).parent.glob("test_g*.py"):
        for name, body in re.findall(r"^def (test_\w+)(.*?)(?=^def |\Z)", file.read_text(), re.M | re.S):
            named = {f"G{number}" for number in re.findall(r"_g(\d\d)(?=_)", name)}
            judged = {f"G{number}" for number in re.findall(r'fails\(\s*"G(\d\d)"', body)}
            judged |= named if re.search(r"fails\(id,", body) else set()
            seen |= named & judged
    assert seen == set(all_checks())
