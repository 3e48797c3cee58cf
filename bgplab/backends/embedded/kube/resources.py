"""What the server serves: the built-in resources as a table, and the shape of an entry."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bgplab.backends.embedded.kube.errors import qualified
from bgplab.backends.embedded.kube.schema.shape import Shape, builtin_definitions, builtin_shape
from bgplab.backends.embedded.kube.store.item import Value

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")

CORE = "io.k8s.api.core.v1"
APPS = "io.k8s.api.apps.v1"
DISCOVERY = "io.k8s.api.discovery.v1"
COORDINATION = "io.k8s.api.coordination.v1"
EXTENSIONS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1"


@dataclass(frozen=True, slots=True)
class Column:
    """An additional printer column of a CRD."""

    name: str
    type: str
    json_path: str
    priority: int = 0
    format: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Resource:
    """One version of one kind of object.

    schema_name: its OpenAPI name. storage_version: the version objects are kept in (only apiVersion differs).
    generation: metadata.generation counts changes of the spec. subresources: what follows the name in a path.
    """

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    namespaced: bool
    schema_name: str
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: frozenset[str] = frozenset()
    generation: bool = False
    custom: bool = False
    storage_version: str = ""
    shape: Shape = field(default_factory=Shape, compare=False, repr=False)
    schema: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    columns: tuple[Column, ...] = ()
    selectable: tuple[str, ...] = ()
    scale_paths: Mapping[str, str] = field(default_factory=dict, compare=False)
    deprecation: str = ""

    @property
    def id(self) -> str:
        """Where its objects lie in the store; the same for all versions."""
        return qualified(self.plural, self.group)

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def stored_api_version(self) -> str:
        version = self.storage_version or self.version
        return f"{self.group}/{version}" if self.group else version

    @property
    def list_kind(self) -> str:
        return f"{self.kind}List"

    @property
    def has_status(self) -> bool:
        return "status" in self.subresources


def as_version(resource: Resource, value: Value) -> Value:
    """The object as this version of its resource shows it."""
    if value["apiVersion"] == resource.api_version:
        return value
    return {**value, "apiVersion": resource.api_version}


WORKLOAD_SCALE = {"spec": ".spec.replicas", "status": ".status.replicas", "selector": ".spec.selector"}


def _builtin(
    package: str,
    kind: str,
    plural: str,
    *,
    group: str = "",
    namespaced: bool = True,
    short: tuple[str, ...] = (),
    categories: tuple[str, ...] = (),
    subresources: tuple[str, ...] = (),
    generation: bool = False,
) -> Resource:
    name = f"{package}.{kind}"
    return Resource(
        group=group,
        version="v1",
        kind=kind,
        plural=plural,
        singular=kind.lower(),
        namespaced=namespaced,
        schema_name=name,
        short_names=short,
        categories=categories,
        subresources=frozenset(subresources),
        generation=generation,
        shape=builtin_shape(name),
        schema=builtin_definitions()[name],
        scale_paths=WORKLOAD_SCALE if "scale" in subresources else {},
    )


def builtin_resources() -> tuple[Resource, ...]:
    """Everything served from the start, in the order of discovery."""
    workload = functools.partial(_builtin, APPS, group="apps", categories=("all",), generation=True)
    return (
        _builtin(CORE, "ConfigMap", "configmaps", short=("cm",)),
        _builtin(CORE, "Endpoints", "endpoints", short=("ep",)),
        _builtin(CORE, "Event", "events", short=("ev",)),
        _builtin(CORE, "Namespace", "namespaces", namespaced=False, short=("ns",), subresources=("status", "finalize")),
        _builtin(CORE, "Node", "nodes", namespaced=False, short=("no",), subresources=("status",)),
        _builtin(
            CORE,
            "Pod",
            "pods",
            short=("po",),
            categories=("all",),
            subresources=("status", "binding", "eviction", "exec", "log"),
        ),
        _builtin(CORE, "Secret", "secrets"),
        _builtin(CORE, "Service", "services", short=("svc",), categories=("all",), subresources=("status",)),
        _builtin(CORE, "ServiceAccount", "serviceaccounts", short=("sa",)),
        workload("DaemonSet", "daemonsets", short=("ds",), subresources=("status",)),
        workload("Deployment", "deployments", short=("deploy",), subresources=("status", "scale")),
        workload("ReplicaSet", "replicasets", short=("rs",), subresources=("status", "scale")),
        _builtin(
            "io.k8s.api.discovery.v1", "EndpointSlice", "endpointslices", group="discovery.k8s.io", generation=True
        ),
        _builtin("io.k8s.api.coordination.v1", "Lease", "leases", group="coordination.k8s.io"),
        _builtin(
            EXTENSIONS,
            "CustomResourceDefinition",
            "customresourcedefinitions",
            group="apiextensions.k8s.io",
            namespaced=False,
            short=("crd", "crds"),
            categories=("api-extensions",),
            subresources=("status",),
            generation=True,
        ),
    )
