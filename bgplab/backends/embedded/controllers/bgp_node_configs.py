"""What each node's CiliumBGPNodeConfig must say: a pure function of cluster configurations, nodes and overrides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bgplab.backends.embedded.controllers.selectors import matches
from bgplab.lab.cluster import Manifest

PEER_FIELDS = ("name", "peerAddress", "peerASN", "autoDiscovery", "peerConfigRef")
INSTANCE_FIELDS = ("name", "localASN", "localPort")
OVERRIDDEN_IN_INSTANCE = ("routerID", "localPort", "localASN")
OVERRIDDEN_IN_PEER = ("localAddress",)  # its localPort has no effect (cilium-observed.md, 3.1)


@dataclass(frozen=True, slots=True)
class Plan:
    """What one CiliumBGPClusterConfig calls for.

    wanted: node name → spec of its CiliumBGPNodeConfig; unwanted: names of node configurations it owns without a
    selected node; rivals: names of cluster configurations that own nodes it selects too.
    """

    wanted: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    unwanted: tuple[str, ...] = ()
    rivals: tuple[str, ...] = ()
    selects_any: bool = False


def plan_of(
    config: Manifest, nodes: Sequence[Manifest], existing: Sequence[Manifest], overrides: Mapping[str, Manifest]
) -> Plan:
    """The plan for one cluster configuration.

    A node whose configuration has another owner stays with it; one that has lost its owner is never touched again. An
    owner is known by its uid: a configuration created anew competes with itself until the garbage collector has been.
    """
    uid = config["metadata"]["uid"]
    owners = {manifest["metadata"]["name"]: owner_of(manifest) for manifest in existing}
    selected = {
        node["metadata"]["name"]
        for node in nodes
        if matches(config["spec"].get("nodeSelector"), node["metadata"].get("labels") or {})
    }
    mine = {name for name in selected if name not in owners or (owners[name] or {}).get("uid") == uid}
    return Plan(
        wanted={name: {"bgpInstances": instances_for(config, overrides.get(name))} for name in sorted(mine)},
        unwanted=tuple(
            sorted(name for name, owner in owners.items() if (owner or {}).get("uid") == uid and name not in selected)
        ),
        rivals=tuple(sorted({owner["name"] for name in selected - mine if (owner := owners[name])})),
        selects_any=bool(selected),
    )


def owner_of(node_config: Manifest) -> dict[str, Any] | None:
    return next(iter(node_config["metadata"].get("ownerReferences") or []), None)


def instances_for(config: Manifest, override: Manifest | None) -> list[dict[str, Any]]:
    """The instances of a cluster configuration with a node's override laid over; unknown names in it do nothing."""
    over = {instance["name"]: instance for instance in (override or {"spec": {}})["spec"].get("bgpInstances") or []}
    return [_instance(instance, over.get(instance["name"], {})) for instance in config["spec"]["bgpInstances"]]


def peer_configs_of(config: Manifest) -> set[str]:
    """Names of the CiliumBGPPeerConfigs that a cluster configuration refers to."""
    peers = [peer for instance in config["spec"]["bgpInstances"] for peer in instance.get("peers") or []]
    return {peer["peerConfigRef"]["name"] for peer in peers if peer.get("peerConfigRef")}


def _instance(instance: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    peers_over = {peer["name"]: peer for peer in override.get("peers") or []}
    made = {**_some(instance, INSTANCE_FIELDS), **_some(override, OVERRIDDEN_IN_INSTANCE)}
    if instance.get("peers"):
        made["peers"] = [
            {**_some(peer, PEER_FIELDS), **_some(peers_over.get(peer["name"], {}), OVERRIDDEN_IN_PEER)}
            for peer in instance["peers"]
        ]
    return made


def _some(source: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: source[name] for name in names if name in source}
