"""Write the tables of docs/labs.md from the model of a lab description: `python scripts/lab_fields.py` (or --check).

Only what stands between the two marks is replaced. --check changes nothing and exits with 1 when something would.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from generated import ROOT, between, write

TARGET = ROOT / "docs" / "labs.md"
BEGIN = "<!-- fields: written by scripts/lab_fields.py; do not edit -->"
END = "<!-- end of fields -->"

#: Part of the model → where it stands in a description.
PARTS = {
    "LabSpec": "the top level",
    "Subnet": "subnets[]",
    "Router": "routers[]",
    "ClusterSpec": "clusters[]",
    "Node": "clusters[].nodes[]",
    "NodeTemplate": "clusters[].nodes, when it is a template",
    "Bgp": "clusters[].bgp",
    "Timers": "clusters[].bgp.timers",
    "GracefulRestart": "clusters[].bgp.graceful_restart",
    "Mesh": "clusters[].mesh",
    "Pool": "clusters[].pool",
    "App": "clusters[].app",
    "Ecmp": "ecmp",
    "LoadTest": "load_test",
}


def tables() -> str:
    """All tables, one per part."""
    from bgplab.spec.model import LabSpec
    from bgplab.spec.templates import NodeTemplate

    whole = LabSpec.model_json_schema()
    parts: dict[str, Any] = {**whole["$defs"], "LabSpec": whole, "NodeTemplate": NodeTemplate.model_json_schema()}
    return "\n".join(_table(place, parts[name]) for name, place in PARTS.items())


def _table(place: str, part: Mapping[str, Any]) -> str:
    rows = [f"### {place}", "", "| field | default | what it is |", "|---|---|---|"]
    for name, field in part["properties"].items():
        default = "**required**" if name in part.get("required", ()) else _default(field)
        limits = _limits(field)
        rows.append(f"| `{name}` | {default} | {field.get('description', '')}{limits} |")
    return "\n".join([*rows, ""])


def _default(field: Mapping[str, Any]) -> str:
    given = field.get("default")
    if "$ref" in field or (isinstance(given, dict) and given):
        return "see below"
    return "–" if given in (None, "", [], ()) else f"`{given if isinstance(given, str) else json.dumps(given)}`"


def _limits(field: Mapping[str, Any]) -> str:
    for one in (field, *field.get("anyOf", ())):
        if "minimum" in one and "maximum" in one:
            return f" ({one['minimum']:,} to {one['maximum']:,})"
    return ""


def main(argv: list[str]) -> int:
    return write(TARGET, between(BEGIN, END, TARGET.read_text(), tables()), argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
