"""What is served, told in both ways clients ask: the classic documents and aggregated discovery."""

from __future__ import annotations

from typing import Any

from bgplab.backends.embedded.kube.errors import no_such_path
from bgplab.backends.embedded.kube.registry import Registry
from bgplab.backends.embedded.kube.resources import VERBS, Resource

AGGREGATED_TYPE = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
# subresource -> (group, version, kind of what is exchanged; "" means the object itself), verbs
SUBRESOURCES: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "status": ("", "", "", ("get", "patch", "update")),
    "scale": ("autoscaling", "v1", "Scale", ("get", "patch", "update")),
    "finalize": ("", "", "", ("update",)),
    "binding": ("", "v1", "Binding", ("create",)),
    "eviction": ("policy", "v1", "Eviction", ("create",)),
    "exec": ("", "v1", "PodExecOptions", ("create", "get")),
    "log": ("", "", "", ("get",)),
}


def api_versions(registry: Registry) -> dict[str, Any]:
    """`/api`"""
    return {"kind": "APIVersions", "versions": registry.groups()[""], "serverAddressByClientCIDRs": []}


def group_list(registry: Registry) -> dict[str, Any]:
    """`/apis`"""
    groups = [_group(name, versions) for name, versions in registry.groups().items() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(registry: Registry, name: str) -> dict[str, Any]:
    """`/apis/GROUP`. Raises 404."""
    versions = registry.groups().get(name)
    if not name or versions is None:
        raise no_such_path()
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)}


def _group(name: str, versions: list[str]) -> dict[str, Any]:
    told = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": told, "preferredVersion": told[0]}


def resource_list(registry: Registry, group_name: str, version: str) -> dict[str, Any]:
    """`/api/v1`, `/apis/GROUP/VERSION`. Raises 404."""
    resources = registry.of_version(group_name, version)
    if not resources:
        raise no_such_path()
    entries = [entry for resource in resources for entry in _classic(resource)]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": resources[0].api_version,
        "resources": sorted(entries, key=lambda entry: entry["name"]),
    }


def _classic(resource: Resource) -> list[dict[str, Any]]:
    own: dict[str, Any] = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(VERBS),
    }
    own |= {"shortNames": list(resource.short_names)} if resource.short_names else {}
    own |= {"categories": list(resource.categories)} if resource.categories else {}
    return [own, *(_classic_sub(resource, name) for name in sorted(resource.subresources))]


def _classic_sub(resource: Resource, name: str) -> dict[str, Any]:
    group_name, version, kind, verbs = SUBRESOURCES[name]
    entry = {
        "name": f"{resource.plural}/{name}",
        "singularName": "",
        "namespaced": resource.namespaced,
        "kind": kind or resource.kind,
        "verbs": list(verbs),
    }
    if group_name:
        entry |= {"group": group_name, "version": version}
    return entry


def aggregated(registry: Registry, *, core: bool) -> dict[str, Any]:
    """Every group with everything in it, in one document (apidiscovery.k8s.io/v2)."""
    groups = {name: versions for name, versions in registry.groups().items() if (name == "") == core}
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": [_aggregated_group(registry, name, versions) for name, versions in groups.items()],
    }


def _aggregated_group(registry: Registry, name: str, versions: list[str]) -> dict[str, Any]:
    told = [
        {
            "version": version,
            "freshness": "Current",
            "resources": [_aggregated(resource) for resource in registry.of_version(name, version)],
        }
        for version in versions
    ]
    return {
        "metadata": {"name": name, "creationTimestamp": None} if name else {"creationTimestamp": None},
        "versions": told,
    }


def _aggregated(resource: Resource) -> dict[str, Any]:
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    entry: dict[str, Any] = {
        "resource": resource.plural,
        "responseKind": kind,
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(VERBS),
    }
    entry |= {"shortNames": list(resource.short_names)} if resource.short_names else {}
    entry |= {"categories": list(resource.categories)} if resource.categories else {}
    if resource.subresources:
        entry["subresources"] = [_aggregated_sub(kind, name) for name in sorted(resource.subresources)]
    return entry


def _aggregated_sub(own: dict[str, str], name: str) -> dict[str, Any]:
    group_name, version, kind, verbs = SUBRESOURCES[name]
    response = {"group": group_name, "version": version, "kind": kind} if kind else own
    return {"subresource": name, "responseKind": response, "verbs": list(verbs)}
