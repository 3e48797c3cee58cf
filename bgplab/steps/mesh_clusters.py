"""The clusters of a mesh, as its steps go over them: seams beside descriptions, and what a person types for each."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from bgplab.lab.cluster import SECRET, Cluster, Manifest
from bgplab.lab.model import Lab
from bgplab.observe.mesh_load import Client
from bgplab.observe.mesh_services import MeshService, read_services_of
from bgplab.observe.side_by_side import by_name
from bgplab.spec.manifests import render_yaml
from bgplab.spec.model import ClusterSpec, LabSpec
from bgplab.spec.typed import in_namespace
from bgplab.steps.objects import apply_what_differs, current

Result = TypeVar("Result")


def in_each(lab: Lab, spec: LabSpec, work: Callable[[Cluster, ClusterSpec], Result]) -> dict[str, Result]:
    """The same in all clusters at once, by cluster name. Raises what the first one raised, when all have ended."""
    return by_name(lambda described: work(lab.clusters[described.name], described), named_clusters(spec))


def named_clusters(spec: LabSpec) -> dict[str, ClusterSpec]:
    return {cluster.name: cluster for cluster in spec.clusters}


def told(by_cluster: dict[str, Sequence[str]]) -> str:
    """`west: Deployment webpod, Service webpod; east: nothing`."""
    return "; ".join(f"{name}: {', '.join(items) or 'nothing'}" for name, items in by_cluster.items())


def service_in(cluster: Cluster, described: ClusterSpec) -> MeshService | None:
    """The application's Service with its annotations."""
    app = described.app
    found = (each for each in read_services_of(cluster) if (each.namespace, each.name) == (app.namespace, app.name))
    return next(found, None)


def client_of(described: ClusterSpec) -> Client:
    """Its client pod, which asks for the Service by name as the guide's does."""
    app = described.app
    return Client(
        app.client, app.namespace, f"http://{app.name}/" if app.port == 80 else f"http://{app.name}:{app.port}/"
    )


# Applying ------------------------------------------------------------------------------------------------------------


def apply_but_secrets(cluster: Cluster, manifests: Iterable[Manifest]) -> list[str]:
    """Apply what differs; a Secret that is there stays, since its certificates, or Helm's record, are of their time.

    The last are records of releases: one that came after makes those before it superseded.
    """
    manifests = list(manifests)
    there = {
        manifest["metadata"]["name"]
        for manifest in manifests
        if manifest["kind"] == "Secret" and (old := current(cluster, manifest)) and not _older_release(manifest, old)
    }
    kept = [each for each in manifests if each["kind"] != "Secret" or each["metadata"]["name"] not in there]
    return apply_what_differs(cluster, kept)


def _older_release(new: Manifest, old: Manifest) -> bool:
    """Whether Helm's record of a release says it is deployed, and the new one that it is superseded."""
    return [_status(each) for each in (new, old)] == ["superseded", "deployed"]


def _status(secret: Manifest) -> str:
    return str((secret["metadata"].get("labels") or {}).get("status", ""))


def delete_all(cluster: Cluster, manifests: Iterable[Manifest]) -> list[str]:
    """Delete those that are there, last one first; their names as `Kind name`."""
    gone = []
    for manifest in reversed(list(manifests)):
        if current(cluster, manifest) is not None:
            metadata, kind = manifest["metadata"], cluster.kind_of(manifest)
            cluster.delete(kind, metadata["name"], metadata.get("namespace", "default") if kind.namespaced else None)
            gone.append(f"{manifest['kind']} {metadata['name']}")
    return gone


def data_of(cluster: Cluster, secret: str) -> dict[str, str] | None:
    """`data` of a Secret in kube-system; None without it."""
    found = cluster.get(SECRET, secret, "kube-system")
    return dict(found.get("data") or {}) if found else None


# What a person types -------------------------------------------------------------------------------------------------


def kubectl(cluster: ClusterSpec, *words: str) -> str:
    """With the application's namespace, where the words are about it and it is not kubectl's own."""
    command = shlex.join(["kubectl", "--context", cluster.context_name, *words])
    return in_namespace(command, cluster.app.namespace)


def kubectl_apply_in(cluster: ClusterSpec, manifests: Iterable[Manifest]) -> str:
    return f"kubectl --context {cluster.context_name} apply -f - <<'EOF'\n{render_yaml(manifests)}EOF"


def in_agent(cluster: ClusterSpec, *words: str) -> str:
    """A command in one of the cluster's agents, as the guide types it."""
    return kubectl(cluster, "exec", "-n", "kube-system", "ds/cilium", "-c", "cilium-agent", "--", "cilium", *words)


def in_client(cluster: ClusterSpec, *words: str) -> str:
    namespace = [] if cluster.app.namespace == "default" else ["-n", cluster.app.namespace]
    return kubectl(cluster, "exec", *namespace, cluster.app.client, "--", *words)


def helm_sets(values: dict[str, Any], prefix: str = "") -> list[str]:
    """`--set` words for Helm values: `bpf.masquerade=true`, lists as `{a,b}`."""
    words: list[str] = []
    for key, value in values.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict):
            words += helm_sets(value, f"{path}.")
        else:
            words += ["--set", f"{path}={_helm_value(value)}"]
    return words


def _helm_value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{{{','.join(map(str, value))}}}" if isinstance(value, list | tuple) else str(value)


def told_command(words: Sequence[str]) -> str:
    """A long command with an option a line, as the guide prints them."""
    parts: list[list[str]] = [[]]
    for word in words:
        if word.startswith("--") and parts[-1]:
            parts.append([])
        parts[-1].append(word)
    return " \\\n  ".join(shlex.join(part) for part in parts)
