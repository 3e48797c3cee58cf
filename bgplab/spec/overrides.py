"""Overrides: `load_test.requests=500` puts a value into a description before it is judged."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from bgplab.errors import InputError
from bgplab.spec.places import Path, Places, dotted
from bgplab.spec.values import shown
from bgplab.spec.yaml_text import DescriptionLoader, Document, read_documents

_PART = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)((?:\[\d{1,4}\])*)")


def apply_overrides(document: Document, overrides: Mapping[str, str]) -> Document:
    """The document with every override put in, in order; values are YAML. What cannot be put in is a problem in it."""
    data, marks, problems = copy.deepcopy(document.data), dict[Path, str](), list(document.problems)
    for key, text in overrides.items():
        try:
            path = parse_path(key)
            marks[_put(data, path, _value(key, text), key)] = "override"
        except InputError as error:
            problems += error.problems
    kept = {path: mark for path, mark in document.places.marks.items() if not _inside(path, marks)}
    return Document(data, Places(document.places.source, kept).marked(marks), problems)


def parse_path(key: str) -> Path:
    """clusters[0].nodes.count → ('clusters', 0, 'nodes', 'count'). Raises InputError."""
    path: list[str | int] = []
    for part in key.split("."):
        match = _PART.fullmatch(part)
        if match is None:
            raise InputError(
                f"override {shown(key)}",
                f"{shown(part)} is not a field",
                "",
                "write fields with dots between, such as load_test.requests or clusters[0].bgp.asn",
            )
        path.append(match[1])
        path.extend(int(index) for index in re.findall(r"\d+", match[2]))
    return tuple(path)


def _value(key: str, text: str) -> Any:
    documents = list(read_documents(text, f"override {key}", DescriptionLoader))
    if len(documents) > 1:
        raise InputError(f"override {key}", f"{shown(text)} is more than one value", "", "write one value")
    problems = [problem for document in documents for problem in document.problems]
    if problems:
        raise InputError(problems=problems)
    return documents[0].data if documents else None


def _put(data: Any, path: Path, value: Any, key: str) -> Path:
    """Set one value inside the data, and return the path of the outermost part that it made.

    Mappings on the way are made where they are missing, lists and their items are not.
    """
    at, made = data, path
    for depth, (part, following) in enumerate(zip(path, (*path[1:], None), strict=True)):
        fits = isinstance(at, list) and part in range(len(at)) if isinstance(part, int) else isinstance(at, dict)
        if not fits:
            raise InputError(
                f"override {key}",
                f"there is no {dotted(path[: depth + 1])}",
                f"{dotted(path[:depth])} is {_kind(at)}",
                "name what the description has; list items count from 0",
            )
        if following is None:
            at[part] = value
        elif isinstance(part, str) and at.get(part) is None:
            if isinstance(following, int):
                lacking = dotted(path[: depth + 1])
                raise InputError(f"override {key}", f"there is no list {lacking}", "", f"write it whole: {lacking}=[…]")
            at[part] = {}
            made = min(made, path[: depth + 1], key=len)
        at = at[part]
    return made


def _kind(value: Any) -> str:
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return "a mapping" if isinstance(value, dict) else shown(value)


def _inside(path: Path, overridden: Mapping[Path, str]) -> bool:
    return any(path[: len(key)] == key for key in overridden)
