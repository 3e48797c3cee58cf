"""Applying manifests: an object that is already as described is left alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bgplab.lab.cluster import Cluster, Manifest
from bgplab.observe.side_by_side import side_by_side


def apply_what_differs(cluster: Cluster, manifests: Sequence[Manifest]) -> list[str]:
    """Apply those that are missing or not as described, in order; their names as `Kind name`."""
    existing = side_by_side(lambda manifest: current(cluster, manifest), manifests)
    todo = [new for new, old in zip(manifests, existing, strict=True) if old is None or not is_part_of(new, old)]
    for manifest in todo:
        cluster.apply(manifest)
    return [named(manifest) for manifest in todo]


def current(cluster: Cluster, manifest: Manifest) -> Manifest | None:
    metadata = manifest["metadata"]
    kind = cluster.kind_of(manifest)
    return cluster.get(kind, metadata["name"], metadata.get("namespace", "default") if kind.namespaced else None)


def is_part_of(described: Any, existing: Any) -> bool:
    """Whether everything that is described is so in what exists; more may be there (defaults, status)."""
    if isinstance(described, dict):
        return isinstance(existing, dict) and all(
            key in existing and is_part_of(value, existing[key]) for key, value in described.items()
        )
    if isinstance(described, list):
        return (
            isinstance(existing, list)
            and len(described) == len(existing)
            and all(is_part_of(one, other) for one, other in zip(described, existing, strict=True))
        )
    return bool(described == existing)


def named(manifest: Manifest) -> str:
    return f"{manifest['kind']} {manifest['metadata']['name']}"
