"""URL paths of the API into targets."""

from __future__ import annotations

from bgplab.backends.embedded.kube.errors import no_such_path
from bgplab.backends.embedded.kube.registry import Registry
from bgplab.backends.embedded.kube.verbs.request import Target


def target_of(registry: Registry, path: str) -> Target:
    """`/api/v1/namespaces/default/pods/x/log` -> its target. Raises 404 for what is not served."""
    root, *parts = path.strip("/").split("/")
    if root == "api" and len(parts) >= 2:
        return _target(registry, "", parts[0], parts[1:])
    if root == "apis" and len(parts) >= 3:
        return _target(registry, parts[0], parts[1], parts[2:])
    raise no_such_path()


def _target(registry: Registry, group: str, version: str, parts: list[str]) -> Target:
    namespace = ""
    if parts[0] == "namespaces" and len(parts) >= 3 and not _about_namespace(group, parts):
        namespace, parts = parts[1], parts[2:]
    plural, name, subresource, *rest = [*parts, "", "", ""][: max(3, len(parts))]
    resource = registry.find(group, version, plural)
    if resource is None or rest or (bool(namespace) and not resource.namespaced):
        raise no_such_path()
    if subresource and subresource not in resource.subresources:
        raise no_such_path()
    if name and resource.namespaced and not namespace:
        raise no_such_path()
    return Target(resource, namespace, name, subresource)


def _about_namespace(group: str, parts: list[str]) -> bool:
    return group == "" and len(parts) == 3 and parts[2] in ("status", "finalize")
