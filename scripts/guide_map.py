"""Write docs/guide-map.md from the registries of steps and checks: `python scripts/guide_map.py` (or with --check).

--check changes nothing and exits with 1 when the file is not what would be written; tests/docs holds it to that.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from generated import ROOT, write

TARGET = ROOT / "docs" / "guide-map.md"

INTRODUCTION = """\
# The guide, row by row

<!-- Written by scripts/guide_map.py from the registries; do not edit. -->

Each row of the guide's BGP half is an observation with an id. A *step* changes something; a *check* judges what must be
seen afterwards. Rows without a step only look. `bgp-lab explain G14` prints the same, with your own lab's names
(`--lab`), and `bgp-lab run --dry-run` prints what each step types.

*Holds* is the stage: from which step on the row must hold, and which step ends it. On a lab that has passed the stage
the row is skipped and says what superseded it. *Window*: something must not appear, so it is watched for at least 2 s.
"""


def _linked(function: Callable[..., Any]) -> str:
    """A function's name, linked to its file."""
    source = Path(inspect.getsourcefile(function) or "").resolve().relative_to(ROOT)
    return f"[`{function.__name__}`](../{source}) in `{source}`"


MESH_INTRODUCTION = """\
# ClusterMesh, row by row

The guide's second half, by the flow `cluster-mesh` (`bgp-lab run cluster-mesh`). Commands are those for the lab `mesh`;
`cilium` on the workstation is the user's own cilium CLI, which the embedded lab does not need.
"""


def guide_map() -> str:
    """The whole page."""
    shell = (
        "To try the commands below: `bgp-lab run --until STEP --keep`, then `bgp-lab shell`. `cilium` is the user's own"
        " cilium CLI; without it, `kubectl -n kube-system exec ds/cilium -- cilium-dbg bgp peers` shows one node."
    )
    return "\n".join(
        [*_part("BGP_LAB", "guide", INTRODUCTION, shell), *_part("CLUSTER_MESH", "mesh", MESH_INTRODUCTION)]
    )


def _part(part: str, lab: str, introduction: str, shell: str = "") -> list[str]:
    """One part's table, and a section per row."""
    from bgplab.backends.embedded.backend import EmbeddedBackend
    from bgplab.checks.explain import by_hand
    from bgplab.spec.loading import load_lab
    from tasks import parts

    walked, described = getattr(parts, part), load_lab(lab)
    rows = ["| id | must be seen | step | check | holds |", "|---|---|---|---|---|"]
    sections = []
    for id, check in walked.course.checks().items():
        step = walked.steps.get(id)
        does = f"{step.title}: {_linked(step.do)}" if step else "–"
        if id == walked.first:
            does = f"provision: {_linked(EmbeddedBackend.up)} (or the inventory's)"
        holds = f"from {check.holds_from}" + (f" until {check.until}" if check.until else "")
        holds += ", window" if check.stays else ""
        rows.append(f"| [{id}](#{id.lower()}) | {check.title} | {does} | {_linked(check.judge)} | {holds} |")
        commands = "\n".join(by_hand(check, described))
        sections.append(
            f"## {id}\n\n**{check.title}.** {check.explanation.observed} {check.explanation.why}\n\n"
            f"```sh\n{commands}\n```\n"
        )
    return [introduction, *rows, "", *([shell, ""] if shell else []), *sections]


def main(argv: list[str]) -> int:
    return write(TARGET, guide_map(), argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
