"""Cilium's resource types as this lab serves them: our own definitions, one file per kind.

What differs by Cilium release or API version is data: `served.py` says which API versions a release serves, and
`x-only: {cilium: "1.18"}` or `x-only: {api: v2}` on a piece of a schema says since when, or in which, it is there.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from bgplab.backends.embedded.crds.served import release_of, served_versions
from bgplab.lab.cluster import Kind, Manifest

__all__ = ["load_crds", "release_of", "stored_kind"]

GROUP = "cilium.io"
HERE = Path(__file__).parent


def load_crds(cilium_version: str) -> list[Manifest]:
    """CustomResourceDefinitions of a Cilium release (`1.18`, `1.17.6`), ready to be created.

    Raises LookupError for a release older than all we know.
    """
    release = release_of(cilium_version)
    files = sorted(path for path in HERE.glob("*.yaml") if path.name != "parts.yaml")
    return [_definition(_read(path), release) for path in files]


def _definition(source: dict[str, Any], release: tuple[int, int]) -> Manifest:
    served = served_versions(source["kind"], release)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{source['plural']}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": source.get("scope", "Cluster"),
            "names": {
                "kind": source["kind"],
                "listKind": f"{source['kind']}List",
                "plural": source["plural"],
                "singular": source["kind"].lower(),
                "shortNames": source["shortNames"],
                "categories": source["categories"],
            },
            "versions": [_version(source, release, api, stored=position == 0) for position, api in enumerate(served)],
        },
    }


def _version(source: dict[str, Any], release: tuple[int, int], api: dict[str, Any], *, stored: bool) -> dict[str, Any]:
    schema = _resolve(source["schema"], release, api["name"])
    schema["properties"] = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        **schema["properties"],
    }
    version = {
        "name": api["name"],
        "served": True,
        "storage": stored,
        "schema": {"openAPIV3Schema": schema},
        "additionalPrinterColumns": source["columns"],
    }
    if source["status"]:
        version["subresources"] = {"status": {}}
    if api.get("deprecated"):
        version["deprecated"] = True
    return version


def _resolve(piece: Any, release: tuple[int, int], api: str) -> Any:
    """A copy with parts filled in and without the pieces that this release or API version does not have."""
    if isinstance(piece, list):
        return [_resolve(item, release, api) for item in piece if _is_there(item, release, api)]
    if not isinstance(piece, dict):
        return piece
    own = {key: value for key, value in piece.items() if key not in ("x-part", "x-only")}
    part = _read(HERE / "parts.yaml")[piece["x-part"]] if "x-part" in piece else {}
    return {
        key: _resolve(value, release, api) for key, value in {**part, **own}.items() if _is_there(value, release, api)
    }


def _is_there(piece: Any, release: tuple[int, int], api: str) -> bool:
    only = piece.get("x-only", {}) if isinstance(piece, dict) else {}
    return release >= release_of(only.get("cilium", "0.0")) and only.get("api", api) == api


@lru_cache
def _read(path: Path) -> Any:
    import yaml  # here: who only asks for a kind's version does without

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(path.read_text(), Loader=loader)


def stored_kind(kind: Kind, cilium_version: str) -> Kind:
    """A kind in the API version that a Cilium release stores: `v2alpha1` of the BGP kinds and the pool before 1.18."""
    version = served_versions(kind.kind, release_of(cilium_version))[0]["name"]
    return replace(kind, api_version=f"{GROUP}/{version}")
