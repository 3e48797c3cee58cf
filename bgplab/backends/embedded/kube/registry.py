"""Which resources are served now: the built-ins, and what custom resource definitions add and take away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bgplab.backends.embedded.kube.resources import Resource, builtin_resources


class Registry:
    """Looked up on every request, changed when a definition is written. `changes` counts the changes."""

    def __init__(self) -> None:
        self._by_path: dict[tuple[str, str, str], Resource] = {}
        self.changes = 0
        for resource in builtin_resources():
            self._add(resource)

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        return self._by_path.get((group, version, plural))

    def find_id(self, resource_id: str) -> Resource | None:
        """Any served version of a resource, by its place in the store."""
        return next((resource for resource in self._by_path.values() if resource.id == resource_id), None)

    def groups(self) -> dict[str, list[str]]:
        """Group -> its versions, preferred first, in the order they came."""
        found: dict[str, list[str]] = {}
        for group, version, _ in self._by_path:
            versions = found.setdefault(group, [])
            if version not in versions:
                versions.append(version)
        return {group: sorted(versions, key=_priority) for group, versions in found.items()}

    def of_version(self, group: str, version: str) -> list[Resource]:
        return [each for (g, v, _), each in self._by_path.items() if (g, v) == (group, version)]

    def all(self) -> Iterator[Resource]:
        yield from self._by_path.values()

    def replace(self, resource_id: str, versions: Sequence[Resource]) -> None:
        """Serve exactly `versions` of a custom resource; none: stop serving it."""
        kept = {path: each for path, each in self._by_path.items() if each.id != resource_id}
        self._by_path = kept
        for resource in versions:
            self._add(resource)
        self.changes += 1

    def _add(self, resource: Resource) -> None:
        self._by_path[resource.group, resource.version, resource.plural] = resource


def _priority(version: str) -> tuple[int, int, int, str]:
    """Kubernetes' version order: v2 before v1 before v1beta1 before v1alpha1 before the rest."""
    major, _, rest = version.removeprefix("v").partition("beta")
    stage, minor = 1, rest
    if not rest:
        major, _, minor = version.removeprefix("v").partition("alpha")
        stage = 2 if minor else 0
    if not version.startswith("v") or not major.isdigit() or (stage and not minor.isdigit()):
        return 3, 0, 0, version
    return stage, -int(major), -int(minor or 0), version
