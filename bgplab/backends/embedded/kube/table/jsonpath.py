"""The JSONPath of printer columns: fields, indexes, wildcards and `[?(@.type=="x")]`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Step = Callable[[Any], Iterator[Any]]


class JsonPathError(ValueError):
    """A path outside the supported part."""


FIELD = re.compile(r"\.([A-Za-z_][\w-]*)|\['((?:\\.|[^'\\])+)'\]|\.((?:\w|\\\.|[-/])+)")
INDEX = re.compile(r"\[(-?\d+)\]")
WILDCARD = re.compile(r"\[\*\]|\.\*")
FILTER = re.compile(r"""\[\?\(\s*@\.([\w.-]+)\s*(==|!=)\s*(?:"([^"]*)"|'([^']*)'|(\w+))\s*\)\]""")


def compiled_path(text: str) -> Callable[[Any], list[Any]]:
    """All values the path leads to, in order. Raises JsonPathError for what is not understood."""
    steps = list(_steps(text))

    def find(value: Any) -> list[Any]:
        found = [value]
        for step in steps:
            found = [inner for outer in found for inner in step(outer)]
        return found

    return find


def _steps(text: str) -> Iterator[Step]:
    if not text.startswith((".", "[")):
        raise JsonPathError(f"{text!r} must start with '.' or '['")
    at = 0
    while at < len(text):
        for pattern, make in PARTS:
            if match := pattern.match(text, at):
                yield make(match)
                at = match.end()
                break
        else:
            raise JsonPathError(f"cannot read {text[at:]!r} of {text!r}")


def _field(match: re.Match[str]) -> Step:
    name = next(group for group in match.groups() if group is not None).replace("\\.", ".")

    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, Mapping) and name in value:
            yield value[name]

    return step


def _index(match: re.Match[str]) -> Step:
    position = int(match[1])

    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, list) and -len(value) <= position < len(value):
            yield value[position]

    return step


def _wildcard(match: re.Match[str]) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, list):
            yield from value
        elif isinstance(value, Mapping):
            yield from value.values()

    return step


def _filter(match: re.Match[str]) -> Step:
    path, operator, *texts = match.groups()
    wanted = next(text for text in texts if text is not None)
    names = path.split(".")

    def step(value: Any) -> Iterator[Any]:
        for item in value if isinstance(value, list) else ():
            if (_plain(_follow(item, names)) == wanted) == (operator == "=="):
                yield item

    return step


def _follow(value: Any, names: list[str]) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


PARTS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Step]], ...] = (
    (WILDCARD, _wildcard),
    (FIELD, _field),
    (INDEX, _index),
    (FILTER, _filter),
)
