"""Pages, or parts of them, that a script writes: replaced where they are not current, or only looked at (--check)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))  # for the scripts, which read the library and the tasks of this tree


def between(begin: str, end: str, now: str, text: str) -> str:
    """A page with what stands between two marks replaced."""
    before, rest = now.split(begin)
    _, after = rest.split(end)
    return f"{before}{begin}\n\n{text}\n{end}{after}"


def write(target: Path, wanted: str, argv: Sequence[str]) -> int:
    """Write the page; with --check change nothing. The exit status: 1 when it is not current and was left so."""
    if "--check" not in argv:
        target.write_text(wanted)
        return 0
    if target.read_text() == wanted:
        return 0
    print(f"{target.relative_to(ROOT)} is not current: run python scripts/{Path(sys.argv[0]).name}", file=sys.stderr)
    return 1
