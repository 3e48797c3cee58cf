"""Gets axe-core (Deque's accessibility rules, one JavaScript file) into `.cache/tools/axe.min.js`, from npm."""

from __future__ import annotations

from pathlib import Path

from npm_package import TOOLS, kept

PACKAGE, MEMBER = "axe-core@4", "package/axe.min.js"


def fetch(target: Path = TOOLS / "axe.min.js") -> Path:
    """The path of axe.min.js. Raises OSError or CalledProcessError when npm cannot bring it."""
    return kept(target, PACKAGE, MEMBER)
