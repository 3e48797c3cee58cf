"""Which API versions of Cilium's kinds a release serves: Cilium's upgrade notes and its shipped schemas.

A table in Python, as controllers ask it when a lab starts, and need nothing of the definitions themselves.
"""

from __future__ import annotations

from typing import Any

Release = tuple[int, int]

Version = dict[str, Any]

_V2: Version = {"name": "v2"}
_V2ALPHA1: Version = {"name": "v2alpha1"}
_DEPRECATED: Version = {"name": "v2alpha1", "deprecated": True}

#: Since which release a kind is served in which versions, the stored one first.
_BGP = [((1, 16), [_V2ALPHA1]), ((1, 18), [_V2, _DEPRECATED])]
_POOL = [((1, 16), [_V2ALPHA1]), ((1, 18), [_V2, _V2ALPHA1]), ((1, 19), [_V2, _DEPRECATED])]
_CORE = [((1, 16), [_V2])]

SERVED: dict[str, list[tuple[Release, list[Version]]]] = {
    "CiliumBGPAdvertisement": _BGP,
    "CiliumBGPClusterConfig": _BGP,
    "CiliumBGPNodeConfig": _BGP,
    "CiliumBGPNodeConfigOverride": _BGP,
    "CiliumBGPPeerConfig": _BGP,
    "CiliumEndpoint": _CORE,
    "CiliumLoadBalancerIPPool": _POOL,
    "CiliumNode": _CORE,
}


def release_of(cilium_version: str) -> Release:
    """(major, minor) of `1.18`, `v1.18.1` or `1.19.0-pre.1`."""
    major, minor = cilium_version.lstrip("v").split(".")[:2]
    return int(major), int(minor)


def served_versions(kind: str, release: Release) -> list[Version]:
    """API versions of a kind in a release: those of the last line that is not newer. Raises LookupError."""
    fitting = [versions for since, versions in SERVED[kind] if since <= release]
    if not fitting:
        raise LookupError(f"no resource definitions for Cilium {release[0]}.{release[1]}")
    return fitting[-1]
