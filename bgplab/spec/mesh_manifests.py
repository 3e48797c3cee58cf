"""The Kubernetes manifests of a mesh by the guide's steps M02 to M14, as `manifests.py` has those of a BGP lab."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from bgplab.spec.cilium_install import connect, enable, install, remotes_of
from bgplab.spec.manifest_files import Manifest
from bgplab.spec.manifests import sample_app, workloads
from bgplab.spec.mesh_certificates import Certified, make_authority
from bgplab.spec.model import ClusterSpec, LabSpec

GLOBAL = "service.cilium.io/global"
SHARED = "service.cilium.io/shared"
AFFINITY = "service.cilium.io/affinity"

Affinity = Literal["none", "local", "remote"]


def by_cluster(spec: LabSpec) -> dict[str, dict[str, list[Manifest]]]:
    """All manifests by cluster and by the step that applies them, with certificates of one CA, as after M03.

    The certificates are new ones each time.
    """
    now = datetime.now(UTC)
    authority = make_authority(now)
    return {cluster.name: by_step(spec, cluster, authority, now) for cluster in spec.clusters}


def by_step(spec: LabSpec, cluster: ClusterSpec, authority: Certified, now: datetime) -> dict[str, list[Manifest]]:
    """One cluster's."""
    *app, client = sample_app(cluster)
    return {
        "M02": install(spec, cluster, authority, now),
        "M04": enable(spec, cluster, authority, now),
        "M05": connect(spec, cluster, remotes_of(spec, cluster), now),
        "M08": [*(made_global(manifest) for manifest in app), *workloads(cluster)],
        "M09": [client],
    }


def made_global(manifest: Manifest) -> Manifest:
    """A Service with its backends of all clusters; anything else as it is."""
    return annotated(manifest, service_annotations()) if manifest["kind"] == "Service" else manifest


def service_annotations(*, affinity: Affinity | None = None, shared: bool | None = None) -> dict[str, str]:
    """A global Service's annotations. None: the annotation is absent."""
    return (
        {GLOBAL: "true"}
        | ({AFFINITY: affinity} if affinity else {})
        | ({} if shared is None else {SHARED: "true" if shared else "false"})
    )


def annotated(manifest: Manifest, annotations: dict[str, str]) -> Manifest:
    """The manifest with further annotations."""
    metadata = manifest["metadata"]
    return {**manifest, "metadata": {**metadata, "annotations": {**metadata.get("annotations", {}), **annotations}}}
