"""Load a lab description: from a file, a shipped name or a text; every problem is reported at once, with its line."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bgplab.errors import InputError, Problem
from bgplab.spec.manifest_files import read_manifests
from bgplab.spec.model import ClusterSpec, LabSpec
from bgplab.spec.overrides import apply_overrides
from bgplab.spec.places import Places
from bgplab.spec.shape import Shaped, shape
from bgplab.spec.shipped import shipped_labs
from bgplab.spec.templates import expand_templates
from bgplab.spec.validation import breaches, problem_of
from bgplab.spec.values import shown
from bgplab.spec.yaml_text import DescriptionLoader, Document, decode, read_documents, read_limited

NO_OVERRIDES: Mapping[str, str] = MappingProxyType({})

# The override that `--nodes N` stands for: the size of a lab whose nodes are a template.
NODE_COUNT = "clusters[0].nodes.count"


def load_lab(named: str | Path, overrides: Mapping[str, str] = NO_OVERRIDES) -> LabSpec:
    """A valid description, from a file or by the name of a shipped one (`guide`).

    overrides: dotted field → value as YAML, such as {"load_test.requests": "500"}. Workload files are read and judged,
    too, and their paths made absolute. Raises InputError with every problem found.
    """
    file = _find(named)
    try:
        content = read_limited(file)
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise InputError(str(named), f"cannot be read: {said}", "", "name a readable file") from error
    return parse_lab(decode(content, str(file)), str(file), overrides, folder=file.parent)


def scale_lab(nodes: int) -> LabSpec:
    """The shipped `scale` lab with this many nodes. Raises InputError when there cannot be so many."""
    return load_lab("scale", {NODE_COUNT: str(nodes)})


def parse_lab(
    text: str, source: str, overrides: Mapping[str, str] = NO_OVERRIDES, *, folder: Path | None = None
) -> LabSpec:
    """As `load_lab`, from a text. source: what messages call it; folder: where workload files are looked for."""
    document = apply_overrides(_read(text, source), overrides)
    expanded = expand_templates(document.data, document.places)
    shaped = shape(expanded.data, document.places, expanded.unread)
    clusters, in_files = _workloads(shaped, document.places, folder or Path.cwd())
    broken = _breaches(shaped, document.places)
    problems = [*document.problems, *expanded.problems, *shaped.problems, *broken, *in_files]
    if problems:
        raise InputError(problems=list(dict.fromkeys(problems)))
    return shaped.spec.model_copy(update={"clusters": clusters})


def _find(named: str | Path) -> Path:
    """The file that is meant; a bare word is a shipped lab."""
    file = Path(named)
    if isinstance(named, Path) or file.suffix or "/" in named:
        return file
    shipped = shipped_labs()
    if str(named) in shipped:
        return shipped[str(named)]
    near = difflib.get_close_matches(str(named), shipped, n=1)
    raise InputError(
        shown(str(named)),
        "there is no lab of this name",
        f"shipped are {', '.join(shipped)}",
        f"did you mean {near[0]}?" if near else "name one of them, or a file such as ./my-lab.yaml",
    )


def _read(text: str, source: str) -> Document:
    """The one mapping a description is."""
    documents = list(read_documents(text, source, DescriptionLoader))
    if not documents or documents[0].data is None:
        raise InputError(
            source, "it is empty", "a lab has a name, subnets, routers and clusters", "see deployments/labs/guide.yaml"
        )
    if len(documents) > 1:
        at = documents[1].places.where(())
        raise InputError(at, "a second YAML document begins", "a file describes one lab", "remove the '---'")
    data: Any = documents[0].data
    if not isinstance(data, dict):
        raise InputError(
            documents[0].places.where(()),
            f"{shown(data)} is not a mapping of fields",
            "a lab has a name, subnets, routers and clusters",
            "write 'field: value' lines; see deployments/labs/guide.yaml",
        )
    return documents[0]


def _breaches(shaped: Shaped, places: Places) -> list[Problem]:
    found = breaches(shaped.spec, shaped.unread)
    return [problem_of(breach, shaped.draft.original(breach.path), places) for breach in found]


def _workloads(shaped: Shaped, places: Places, folder: Path) -> tuple[tuple[ClusterSpec, ...], list[Problem]]:
    """The clusters with absolute workload paths, and what is wrong with the files."""
    clusters: list[ClusterSpec] = []
    problems: list[Problem] = []
    for index, cluster in enumerate(shaped.spec.clusters):
        files = [(folder / name).absolute() for name in cluster.workloads]
        clusters.append(cluster.model_copy(update={"workloads": tuple(map(str, files))}))
        for number, file in enumerate(files):
            named_in = places.where(shaped.draft.original(("clusters", index, "workloads", number)))
            try:
                read_manifests(file, cluster.cilium_version, named_in)
            except InputError as error:
                problems += error.problems
    return tuple(clusters), problems
