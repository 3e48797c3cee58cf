"""A user's own Kubernetes manifests: read and judged with the description, before anything is created."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bgplab.errors import InputError, Problem
from bgplab.spec.kinds import known_kinds
from bgplab.spec.places import Path as FieldPath
from bgplab.spec.places import Places
from bgplab.spec.values import shown
from bgplab.spec.yaml_text import ManifestLoader, decode, read_documents, read_limited

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Written:
    """One manifest and where it was written."""

    manifest: Any
    places: Places
    path: FieldPath


def read_manifests(file: Path, cilium_version: str, named_in: str = "") -> list[Manifest]:
    """The manifests of a file, `List`s unpacked. Raises InputError with every problem in it.

    named_in: where the description names the file, for messages about a file that cannot be read.
    """
    problems: list[Problem] = []
    written: list[Written] = []
    for document in read_documents(decode(_content(file, named_in), str(file)), str(file), ManifestLoader):
        problems += document.problems
        written += _unpacked(Written(document.data, document.places, ()))
    if not written:
        problems.append(
            Problem(
                str(file),
                "holds no manifest",
                "what a description names is applied; nothing would be",
                "write one, or do not name the file",
            )
        )
    kinds = known_kinds(cilium_version) | _defined_kinds(written)
    problems += [problem for each in written for problem in _judge(each, kinds)]
    if problems:
        raise InputError(problems=problems)
    return [each.manifest for each in written]


def _content(file: Path, named_in: str) -> bytes:
    try:
        return read_limited(file)
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise InputError(
            named_in or str(file),
            f"{str(file)!r} cannot be read: {said}",
            "its manifests are part of the lab",
            "correct the name (it is relative to the description), or remove it",
        ) from error


def _unpacked(written: Written) -> Iterator[Written]:
    manifest = written.manifest
    if isinstance(manifest, dict) and manifest.get("kind") == "List" and isinstance(manifest.get("items"), list):
        for index, item in enumerate(manifest["items"]):
            yield Written(item, written.places, (*written.path, "items", index))
    elif manifest is not None:
        yield written


def _defined_kinds(written: list[Written]) -> dict[str, tuple[str, ...]]:
    """Kinds that a CustomResourceDefinition among the manifests brings along."""
    defined = {}
    for each in written:
        match each.manifest:
            case {
                "kind": "CustomResourceDefinition",
                "spec": {"group": str(group), "names": {"kind": str(kind)}, "versions": list(versions)},
            }:
                defined[kind] = tuple(f"{group}/{one.get('name')}" for one in versions if isinstance(one, dict))
    return defined


def _judge(written: Written, kinds: dict[str, tuple[str, ...]]) -> Iterator[Problem]:
    manifest, where = written.manifest, written.places.where
    if not isinstance(manifest, dict):
        yield Problem(
            where(written.path),
            f"{shown(manifest)} is not a manifest",
            "an object is a mapping that says what it is",
            "write apiVersion, kind, metadata",
        )
        return
    metadata = manifest.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str) or not metadata["name"]:
        yield Problem(
            where((*written.path, "metadata", "name")),
            "a name is missing",
            "objects are applied by name, so that a second run finds them",
            "add 'metadata: {name: …}'",
        )
    kind, version = manifest.get("kind"), manifest.get("apiVersion")
    if not isinstance(kind, str) or kind not in kinds:
        near = difflib.get_close_matches(str(kind), kinds, n=1)
        yield Problem(
            where((*written.path, "kind")),
            f"{shown(kind)} is not a known kind",
            "the lab's Kubernetes API would refuse it",
            f"did you mean {near[0]}?" if near else f"known kinds are {', '.join(sorted(kinds))}",
        )
    elif version not in kinds[kind]:
        yield Problem(
            where((*written.path, "apiVersion")),
            f"{kind} is not served as {shown(version)}",
            "the lab's Kubernetes API would refuse it",
            f"write {' or '.join(kinds[kind])}",
        )
