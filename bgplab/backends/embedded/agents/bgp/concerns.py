"""Which nodes' BGP a change concerns. Pure: an event in, node names out.

Only what `desired_state` reads counts. So a node configuration's status, which its own agent writes every few seconds,
wakes nobody, and one node's objects wake no other node's agent: with every agent looking at every event a hundred
nodes would look ten thousand times at what a hundred node configurations say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bgplab.backends.embedded.agents.bgp.adverts import nodes_with_ready_endpoint
from bgplab.lab.cluster import (
    BGP_ADVERTISEMENT,
    BGP_NODE_CONFIG,
    BGP_PEER_CONFIG,
    CILIUM_NODE,
    ENDPOINT_SLICE,
    SECRET,
    SERVICE,
    Kind,
    Manifest,
)

Nodes = frozenset[str]

NOBODY: Nodes = frozenset()

#: Every node that has a node configuration.
EVERYBODY = None


def concerned_nodes(kind: Kind, old: Manifest | None, new: Manifest | None) -> Nodes | None:
    """Names of nodes, or EVERYBODY. Raises KeyError for a kind that BGP does not depend on."""
    if kind == ENDPOINT_SLICE:
        return frozenset(node for node, _ in _announcers(old) ^ _announcers(new))
    if _read(kind, old) == _read(kind, new):
        return NOBODY
    if kind in NAMED_AS_NODE:
        return frozenset({(new or old or {})["metadata"]["name"]})
    return EVERYBODY


def _announcers(piece: Manifest | None) -> frozenset[tuple[str, tuple[str, str]]]:
    return nodes_with_ready_endpoint([piece] if piece else [])


def _read(kind: Kind, manifest: Manifest | None) -> Any:
    return None if manifest is None else WHAT_IS_READ[kind](manifest)


def _metadata(manifest: Mapping[str, Any], *names: str) -> list[Any]:
    return [manifest["metadata"].get(name) or None for name in names]


def _service(manifest: Manifest) -> Any:
    status = manifest.get("status") or {}
    return manifest.get("spec"), _metadata(manifest, "labels"), status.get("loadBalancer") or None


#: What of an object BGP depends on; its name and namespace go without saying.
WHAT_IS_READ: Mapping[Kind, Callable[[Manifest], Any]] = {
    BGP_NODE_CONFIG: lambda manifest: (manifest.get("spec"), _metadata(manifest, "uid")),  # made anew: it has no status
    CILIUM_NODE: lambda manifest: (manifest.get("spec"), _metadata(manifest, "annotations")),
    BGP_PEER_CONFIG: lambda manifest: [manifest.get("spec")],
    BGP_ADVERTISEMENT: lambda manifest: (manifest.get("spec"), _metadata(manifest, "labels")),
    SERVICE: _service,
    SECRET: lambda manifest: [manifest.get("data")],
}
NAMED_AS_NODE = frozenset({BGP_NODE_CONFIG, CILIUM_NODE})
