"""YAML text → plain data, with the line of every part; refuses what a description or a manifest must not be.

Built on PyYAML's parser and composer. Its constructor is not used: it takes the last of two equal keys without a word
and copies what an alias bomb asks for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

import yaml

from bgplab.errors import InputError, Problem
from bgplab.spec.places import Path, Places
from bgplab.spec.values import shown

MAX_BYTES = 512 * 1024
MAX_PARTS = 20_000
MAX_DEPTH = 40
_SMALLER = "a description or manifest is small; what is larger is a mistake or an attack"


_TAG = "tag:yaml.org,2002:"


class DescriptionLoader(yaml.SafeLoader):
    """YAML 1.2's idea of plain scalars, and no fractions: `1.18` and `no` stay text, only true/false are switches.

    YAML 1.1 would read the version 1.20 as 1.2, the name `no` as false and 12:30 as 750.
    """

    yaml_implicit_resolvers = {}


for _kind, _pattern, _first in (
    ("null", r"(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]{0,18})$", list("-+0123456789")),
):
    DescriptionLoader.add_implicit_resolver(_TAG + _kind, re.compile(_pattern), _first)


class ManifestLoader(yaml.SafeLoader):
    """Plain scalars as kubectl reads them (YAML 1.1), except dates, which JSON does not have."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":merge", ":value"))]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


Loader = type[DescriptionLoader] | type[ManifestLoader]


@dataclass(slots=True)
class Document:
    """One YAML document. `problems` are those that left the data readable: duplicate keys, keys that are not text."""

    data: Any
    places: Places
    problems: list[Problem] = field(default_factory=list)


def read_limited(file: FilePath) -> bytes:
    """A file's content, cut off where `decode` refuses it: /dev/zero has no end. Raises OSError, ValueError."""
    with file.open("rb") as opened:
        return opened.read(MAX_BYTES + 1)


def decode(content: bytes, source: str) -> str:
    """The text of a file. Raises InputError when it is too large or not UTF-8."""
    if len(content) > MAX_BYTES:
        raise InputError(
            source, f"more than {MAX_BYTES} bytes are not read", _SMALLER, "name the right file, or split it"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            source,
            f"not UTF-8 text (byte {error.start} is 0x{content[error.start]:02x})",
            "descriptions and manifests are read as UTF-8",
            "save it as UTF-8",
        ) from error


def read_documents(text: str, source: str, loader: Loader) -> Iterator[Document]:
    """The documents of a YAML text. Raises InputError where it is not YAML, too deep, or unfolds to too much."""
    try:
        _guard(text, source, loader)
        composed = list(yaml.compose_all(text, Loader=loader))
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # a bad \U escape ends in ValueError inside PyYAML
        raise _not_yaml(error, source) from error
    budget = _Budget(source)
    for root in composed:
        if root is not None:
            yield _Reading(source, loader, budget).document(root)


def _not_yaml(error: Exception, source: str) -> InputError:
    mark = getattr(error, "problem_mark", None)
    said = getattr(error, "problem", None) or getattr(error, "reason", None) or "an escape that names no character"
    return InputError(
        f"{source}:{mark.line + 1}" if mark else source,
        f"not YAML: {said}",
        "it cannot be read at all",
        "correct it; often it is an indentation, a missing ':' or a missing quote",
    )


def _guard(text: str, source: str, loader: Loader) -> None:
    """Limit depth and size before anything recursive runs. (The parser is a state machine; the composer recurses.)"""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=loader)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise _too_deep(f"{source}:{_line(event)}")
        if count > 2 * MAX_PARTS:
            raise _too_many(f"{source}:{_line(event)}")


def _too_deep(where: str) -> InputError:
    return InputError(where, f"nested more than {MAX_DEPTH} deep", _SMALLER, "flatten it")


def _too_many(where: str) -> InputError:
    return InputError(
        where,
        f"unfolds to more than {MAX_PARTS} values",
        "aliases that repeat aliases grow without bound (an alias bomb)",
        "write the values out, or use fewer aliases",
    )


class _Budget:
    """How many values may still be unfolded."""

    def __init__(self, source: str) -> None:
        self._source, self._left = source, MAX_PARTS

    def take(self, line: int) -> None:
        self._left -= 1
        if self._left < 0:
            raise _too_many(f"{self._source}:{line}")


class _Reading:
    """Turns the nodes of one document into data, noting lines and problems on the way."""

    def __init__(self, source: str, loader: Loader, budget: _Budget) -> None:
        self._source, self._budget = source, budget
        self._scalars = loader("")
        self._marks: dict[Path, str] = {}
        self._problems: list[Problem] = []

    def document(self, root: yaml.Node) -> Document:
        data = self._value(root, (), _line(root))
        return Document(data, Places(self._source, self._marks), self._problems)

    def _value(self, node: yaml.Node, path: Path, line: int) -> Any:
        self._budget.take(line)
        if len(path) > MAX_DEPTH:  # only an alias to something around itself gets here
            raise _too_deep(f"{self._source}:{line}")
        self._marks[path] = f"{self._source}:{line}"
        if not isinstance(node, yaml.ScalarNode) and node.tag not in (f"{_TAG}map", f"{_TAG}seq"):
            self._note(path, line, f"the tag {shown(node.tag)} is not known", "only plain values are read", "remove it")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*path, index), _line(item)) for index, item in enumerate(node.value)]
        return self._scalar(node, path, line)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        read: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key, line = self._key(key_node, path), _line(key_node)
            if key in read:
                self._note(
                    (*path, key),
                    line,
                    f"the key {shown(key)} appears twice, first in line {self._marks[(*path, key)].rpartition(':')[2]}",
                    "of two values one would be silently lost",
                    "remove one of them",
                )
                continue
            read[key] = self._value(value_node, (*path, key), line)
        return read

    def _key(self, node: yaml.Node, path: Path) -> str:
        if isinstance(node, yaml.ScalarNode) and node.tag == f"{_TAG}str":
            return str(node.value)
        written = str(node.value) if isinstance(node, yaml.ScalarNode) else "a list or mapping"
        self._note(path, _line(node), f"the key {shown(written)} is not text", "fields have names", "put it in quotes")
        return written

    def _scalar(self, node: yaml.Node, path: Path, line: int) -> Any:
        kind = node.tag.removeprefix(_TAG)
        try:
            if kind in ("str", "int", "bool", "null", "float"):
                value = self._scalars.construct_object(node)
                json.dumps(value, allow_nan=False)
                return value
        except (yaml.YAMLError, ValueError, OverflowError, KeyError):
            pass
        self._note(path, line, f"{shown(node.value)} cannot be read as {kind}", "JSON must hold it", "write plain text")
        return str(node.value)

    def _note(self, path: Path, line: int, what: str, why: str, do: str) -> None:
        where = Places(f"{self._source}:{line}").where(path)
        self._problems.append(Problem(where, what, why, do))


def _line(part: yaml.Node | yaml.Event) -> int:
    return part.start_mark.line + 1 if part.start_mark else 1
