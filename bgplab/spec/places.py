"""Where a part of a description is: its path in the data, and the line (or the override) that wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Path = tuple[str | int, ...]
LONGEST_KEY = 80


def dotted(path: Path) -> str:
    """('clusters', 0, 'nodes', 2, 'address') → clusters[0].nodes[2].address; keys that no terminal shows are quoted."""
    written = "".join(f"[{part}]" if isinstance(part, int) else f".{_visible(part)}" for part in path)
    return written.removeprefix(".")


def _visible(key: str) -> str:
    return key if key.isprintable() and len(key) <= LONGEST_KEY else f"{key[:LONGEST_KEY]!r}"


def field_of(path: Path) -> Path:
    """The path without indices: which field of the model it is, whatever the item."""
    return tuple(part for part in path if isinstance(part, str))


@dataclass(frozen=True, slots=True)
class Places:
    """source: file name, or what else a description came from. marks: path → 'guide.yaml:14' of what was written."""

    source: str
    marks: Mapping[Path, str] = field(default_factory=dict)

    def where(self, path: Path) -> str:
        """`guide.yaml:14, clusters[0].nodes[2].address`; the line is that of the nearest part that was written."""
        mark = next(
            (self.marks[path[:length]] for length in range(len(path), -1, -1) if path[:length] in self.marks),
            self.source,
        )
        return f"{mark}, {dotted(path)}" if path else mark

    def marked(self, marks: Mapping[Path, str]) -> Places:
        """The same with further marks, which win."""
        return Places(self.source, {**self.marks, **marks})
