"""The descriptions that come with bgp-lab. Apart from `loading.py`: who only asks for names reads none of them."""

from __future__ import annotations

from pathlib import Path

import bgplab


def shipped_labs() -> dict[str, Path]:
    """Their files, by name."""
    folder = Path(bgplab.__file__).resolve().parents[1] / "deployments" / "labs"
    return {file.stem: file for file in sorted(folder.glob("*.yaml"))}
