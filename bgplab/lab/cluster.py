"""The seam to a cluster: the Kubernetes API as a person with kubectl has it. Objects are plain JSON dictionaries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bgplab.errors import LabError
from bgplab.lab.shell import Completed

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """A resource type: `Kind("apps/v1", "Deployment", "deployments")`; api_version as in a manifest.

    older: API versions in which earlier releases serve it, newest first; a cluster is asked for what it has.
    """

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True
    older: tuple[str, ...] = ()

    @property
    def root(self) -> str:
        """Path prefix of its group version: `/api/v1` or `/apis/apps/v1`."""
        return f"/api/{self.api_version}" if "/" not in self.api_version else f"/apis/{self.api_version}"

    def path(self, name: str | None = None, namespace: str | None = None, subresource: str | None = None) -> str:
        parts = [self.root]
        if self.namespaced and namespace:
            parts.append(f"namespaces/{namespace}")
        parts.append(self.plural)
        if name:
            parts.append(name)
        if subresource:
            parts.append(subresource)
        return "/".join(parts)


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """`type` is ADDED, MODIFIED or DELETED (bookmarks and errors are handled below this seam)."""

    type: str
    object: Manifest


class ApiError(LabError):
    """The API server refused a request; `status` is its `Status` object (reason, message, code)."""

    def __init__(self, request: str, code: int, status: Mapping[str, Any]) -> None:
        self.request, self.code, self.status = request, code, dict(status)
        super().__init__(f"{request}: {code} {status.get('reason', '')}: {status.get('message', '')}")

    @property
    def reason(self) -> str:
        return str(self.status.get("reason", ""))


class Cluster(Protocol):
    """One cluster's API. Missing objects are None on `get`; every other refusal raises ApiError."""

    name: str

    def get(self, kind: Kind, name: str, namespace: str | None = None) -> Manifest | None: ...

    def list(
        self, kind: Kind, namespace: str | None = None, *, labels: str = "", fields: str = ""
    ) -> list[Manifest]: ...

    def list_page(self, kind: Kind, namespace: str | None = None, *, labels: str = "") -> Manifest:
        """The whole List object, for its metadata.resourceVersion."""

    def watch(
        self, kind: Kind, namespace: str | None = None, *, since: str, timeout_seconds: int = 300
    ) -> Iterator[WatchEvent]:
        """Events after resourceVersion `since`. Raises ApiError with code 410 when it is too old."""

    def create(self, manifest: Manifest) -> Manifest: ...

    def replace(self, manifest: Manifest, *, subresource: str | None = None) -> Manifest: ...

    def patch(
        self,
        kind: Kind,
        name: str,
        patch: Any,
        namespace: str | None = None,
        *,
        type: str = "merge",  # merge | strategic | json
        subresource: str | None = None,
        field_manager: str | None = None,
    ) -> Manifest: ...

    def apply(self, manifest: Manifest, *, field_manager: str = "bgp-lab") -> Manifest:
        """Server-side apply (Content-Type application/apply-patch+yaml), forcing conflicts."""

    def delete(
        self, kind: Kind, name: str, namespace: str | None = None, *, grace_period_seconds: int | None = None
    ) -> None:
        """Delete; already gone is fine. grace_period_seconds 0 removes a pod at once, as its kubelet does."""

    def exec(
        self,
        pod: str,
        argv: Sequence[str],
        *,
        namespace: str = "default",
        container: str | None = None,
        stdin: str = "",
        timeout: float = 30.0,
        check: bool = True,
    ) -> Completed: ...

    def logs(self, pod: str, *, namespace: str = "default") -> str: ...

    def kind_of(self, manifest: Manifest) -> Kind:
        """The resource type of a manifest, by discovery. Raises InputError when the server does not serve it."""


NODE = Kind("v1", "Node", "nodes", namespaced=False)
NAMESPACE = Kind("v1", "Namespace", "namespaces", namespaced=False)
POD = Kind("v1", "Pod", "pods")
SERVICE = Kind("v1", "Service", "services")
CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps")
SECRET = Kind("v1", "Secret", "secrets")
EVENT = Kind("v1", "Event", "events")
DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments")
REPLICA_SET = Kind("apps/v1", "ReplicaSet", "replicasets")
DAEMON_SET = Kind("apps/v1", "DaemonSet", "daemonsets")
ENDPOINT_SLICE = Kind("discovery.k8s.io/v1", "EndpointSlice", "endpointslices")
CRD = Kind("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False)
CILIUM_ENDPOINT = Kind("cilium.io/v2", "CiliumEndpoint", "ciliumendpoints")
CILIUM_NODE = Kind("cilium.io/v2", "CiliumNode", "ciliumnodes", namespaced=False)


def _cilium_kind(kind: str, plural: str) -> Kind:
    """Cilium's BGP kinds and its pool: `v2` since 1.18, `v2alpha1` before."""
    return Kind("cilium.io/v2", kind, plural, namespaced=False, older=("cilium.io/v2alpha1",))


BGP_CLUSTER_CONFIG = _cilium_kind("CiliumBGPClusterConfig", "ciliumbgpclusterconfigs")
BGP_PEER_CONFIG = _cilium_kind("CiliumBGPPeerConfig", "ciliumbgppeerconfigs")
BGP_ADVERTISEMENT = _cilium_kind("CiliumBGPAdvertisement", "ciliumbgpadvertisements")
BGP_NODE_CONFIG = _cilium_kind("CiliumBGPNodeConfig", "ciliumbgpnodeconfigs")
BGP_NODE_CONFIG_OVERRIDE = _cilium_kind("CiliumBGPNodeConfigOverride", "ciliumbgpnodeconfigoverrides")
LB_POOL = _cilium_kind("CiliumLoadBalancerIPPool", "ciliumloadbalancerippools")
