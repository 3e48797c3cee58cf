"""The project's documents as data: their links, images and commands."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"(!?)\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Document:
    """A markdown file of the project."""

    path: Path
    text: str

    @property
    def prose(self) -> str:
        """Without fenced blocks, where brackets are no links."""
        return _FENCE.sub("", self.text)

    def links(self) -> list[str]:
        """Targets inside the project: relative paths, perhaps with an anchor."""
        return [target for _, target in _LINK.findall(self.prose) if "://" not in target]

    def images(self) -> list[Path]:
        return [self.path.parent / target for mark, target in _LINK.findall(self.prose) if mark == "!"]

    def anchors(self) -> set[str]:
        """Of its headings, as GitHub makes them."""
        return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in _HEADING.findall(self.prose)}

    def commands(self, program: str) -> list[list[str]]:
        """Every `program …` in shell blocks and in inline code, as words; comments and `$(…)` around it are cut off."""
        lines = [
            line
            for language, block in _FENCE.findall(self.text)
            if language in ("sh", "")
            for line in block.splitlines()
        ]
        lines += _INLINE.findall(self.prose)
        return [_words(found) for line in lines for found in _mentions(line, program)]


def _mentions(line: str, program: str) -> list[str]:
    return re.findall(rf"(?:^|(?<=[\s(\"/])){re.escape(program)}(?: [^)\"|;&]*|$)", line)


def _words(line: str) -> list[str]:
    line = re.sub(r"…|\[IDS\]", "", line)
    try:
        return shlex.split(line, comments=True)
    except ValueError:  # a quotation mark that the cut left open
        return line.split()


def documents() -> list[Document]:
    """README and its like, and everything under docs/."""
    paths = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return [Document(path, path.read_text()) for path in sorted(paths)]


def name_of(document: Document) -> str:
    return str(document.path.relative_to(ROOT))
