"""Which Kubernetes kinds a lab knows, by version. Data, looked up; nothing else asks for a version."""

from __future__ import annotations

# Cilium's BGP kinds and its pool: first version → API versions served from then on; the first one is written.
# Sources: Cilium 1.16 (BGP v2 appears), 1.18 (cilium #37765, #38239; v2alpha1 still served, deprecated later).
_CILIUM_SERVES = (((1, 16), ("cilium.io/v2alpha1",)), ((1, 18), ("cilium.io/v2", "cilium.io/v2alpha1")))

_CILIUM_KINDS = (
    "CiliumBGPAdvertisement",
    "CiliumBGPClusterConfig",
    "CiliumBGPNodeConfigOverride",
    "CiliumBGPPeerConfig",
    "CiliumLoadBalancerIPPool",
)

# What the embedded backend's Kubernetes API serves of the built-in kinds, without those only a cluster itself writes.
_BUILT_IN = {
    "v1": ("ConfigMap", "Endpoints", "Namespace", "Pod", "Secret", "Service", "ServiceAccount"),
    "apps/v1": ("DaemonSet", "Deployment", "ReplicaSet"),
    "discovery.k8s.io/v1": ("EndpointSlice",),
    "coordination.k8s.io/v1": ("Lease",),
    "apiextensions.k8s.io/v1": ("CustomResourceDefinition",),
}


def cilium_api_versions(cilium_version: str) -> tuple[str, ...]:
    """API versions of Cilium's BGP kinds and pool that a Cilium version serves; the first is the one to write."""
    major, minor = (int(part) for part in cilium_version.split(".")[:2])
    served = [versions for since, versions in _CILIUM_SERVES if (major, minor) >= since]
    return served[-1]


def known_kinds(cilium_version: str) -> dict[str, tuple[str, ...]]:
    """Kind → API versions it can be written in."""
    known = {kind: (version,) for version, kinds in _BUILT_IN.items() for kind in kinds}
    return known | dict.fromkeys(_CILIUM_KINDS, cilium_api_versions(cilium_version))
