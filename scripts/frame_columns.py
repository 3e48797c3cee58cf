"""Write the tables of docs/results.md from bgplab/results/frames.py: `python scripts/frame_columns.py` (or --check).

Only what stands between the two marks is replaced. --check changes nothing and exits with 1 when something would.
"""

from __future__ import annotations

import sys

from generated import ROOT, between, write

TARGET = ROOT / "docs" / "results.md"
BEGIN = "<!-- columns: written by scripts/frame_columns.py; do not edit -->"
END = "<!-- end of columns -->"

#: Frame → what one row is.
FRAMES = {
    "requests": "one connection of a load test, or of the steady probe around an event",
    "points": "one node's or endpoint's share of a load test",
    "checks": "one observation, judged",
    "timeline": "one moment",
    "convergence": "one event under traffic, as one router or client saw it",
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


def main(argv: list[str]) -> int:
    return write(TARGET, between(BEGIN, END, TARGET.read_text(), tables()), argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
