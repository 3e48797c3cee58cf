"""What a Service's annotations say about the mesh (Cilium 1.17/1.18, pkg/annotation/k8s.go, pkg/clustermesh)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: Annotation → its older name, which still counts.
GLOBAL = ("service.cilium.io/global", "io.cilium/global-service")
SHARED = ("service.cilium.io/shared", "io.cilium/shared-service")
AFFINITY = ("service.cilium.io/affinity", "io.cilium/service-affinity")


@dataclass(frozen=True, slots=True)
class Sharing:
    """takes_remote: uses other clusters' backends. shared: offers its own to them. affinity: lower case, "" when
    absent, and whatever somebody wrote otherwise."""

    takes_remote: bool = False
    shared: bool = False
    affinity: str = ""


ALONE = Sharing()


def sharing_of(service: Mapping[str, Any]) -> Sharing:
    """A Service that is not global neither takes nor gives, whatever else its annotations say."""
    annotations = service["metadata"].get("annotations") or {}
    if _read(annotations, GLOBAL).lower() != "true":
        return ALONE
    shared = _read(annotations, SHARED).lower() in ("", "true")
    return Sharing(True, shared, _read(annotations, AFFINITY).lower())


def _read(annotations: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((str(annotations[name]) for name in names if name in annotations), "")
