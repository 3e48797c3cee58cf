"""Write the tables of docs/results.md from bgplab/results/frames.py: `python scripts/frame_columns.py` (or --check).

Only what stands between the two marks is replaced. --check changes nothing and exits with 1 when something would.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "results.md"
BEGIN = "<!-- columns: written by scripts/frame_columns.py; do not edit -->"
END = "<!-- end of columns -->"
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

#: Frame → what one row is.
FRAMES = {
    "requests": "one connection of a load test, or of the steady probe around an event",
    "points": "one node's or endpoint's share of a load test",
    "checks": "one observation, judged",
    "timeline": "one moment",
    "convergence": "one event under traffic",
    "steps": "one step that was done",
}


def tables() -> str:
    """All tables, one per frame."""
    from bgplab.results import frames

    parts = []
    for name, row in FRAMES.items():
        parts += [
            f"### {name}",
            "",
            f"A row is {row}.",
            "",
            "| column | dtype | meaning, with its unit |",
            "|---|---|---|",
        ]
        parts += [f"| `{one.name}` | {one.dtype} | {one.meaning} |" for one in getattr(frames, name.upper())]
        parts.append("")
    return "\n".join(parts)


def page(now: str) -> str:
    """The page with its tables replaced."""
    before, rest = now.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{tables()}\n{END}{after}"


def main(argv: list[str]) -> int:
    now = TARGET.read_text()
    wanted = page(now)
    if "--check" not in argv:
        TARGET.write_text(wanted)
        return 0
    if now == wanted:
        return 0
    print(f"{TARGET.relative_to(ROOT)} is not current: run python scripts/frame_columns.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
