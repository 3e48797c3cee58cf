"""What is known of a remote cluster: fed with keys, read as nodes and services. It outlives connections."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import Any

from bgplab.backends.embedded.agents.mesh import keys
from bgplab.backends.embedded.agents.mesh.etcd_messages import Change


@dataclass(frozen=True, slots=True)
class RemoteNode:
    """A node of another cluster. pod_cidr: None when it has no IPv4 pods."""

    cluster: str
    name: str
    address: IPv4Address
    pod_cidr: IPv4Network | None


@dataclass(frozen=True, slots=True, order=True)
class RemoteBackend:
    """port_name: of the Service port it is behind; protocol in lower case."""

    address: IPv4Address
    port: int
    protocol: str
    port_name: str


@dataclass(frozen=True, slots=True)
class RemoteService:
    """A Service that another cluster shares."""

    cluster: str
    namespace: str
    name: str
    backends: tuple[RemoteBackend, ...]


@dataclass(frozen=True, slots=True)
class RemoteConfig:
    """The other cluster's own word about itself."""

    cluster_id: int
    max_connected_clusters: int
    synced_canaries: bool


class RemoteStore:
    """Keys of one remote cluster as last heard. Not thread-safe: its owner changes it, and hands out what it read.

    Entries that a new listing does not have stay until the canary says that the other side's copy of their kind is
    whole: a remote whose store is filled anew must not lose its backends meanwhile.
    """

    def __init__(self, cluster: str) -> None:
        self.cluster = cluster
        self._values: dict[str, str] = {}
        self._stale: set[str] = set()

    def copy(self) -> RemoteStore:
        other = RemoteStore(self.cluster)
        other._values, other._stale = dict(self._values), set(self._stale)
        return other

    def relist(self, values: Mapping[str, str]) -> None:
        """A whole listing of `cilium/`, after a new connection."""
        self._stale = {key for key in self._values if _state_of(key) and key not in values}
        kept = {key: self._values[key] for key in self._stale}
        self._values = {**kept, **values}
        self._drop_stale()

    def apply(self, changes: Iterable[Change]) -> bool:
        """Changes in their order. Whether anything but the heartbeat changed."""
        told = False
        for change in changes:
            told |= change.key != keys.HEARTBEAT
            self._stale.discard(change.key)
            if change.value is None:
                self._values.pop(change.key, None)
            else:
                self._values[change.key] = change.value
        self._drop_stale()
        return told

    def clear(self) -> None:
        self._values, self._stale = {}, set()

    def config(self) -> RemoteConfig | None:
        """None while the other side has not written it."""
        text = self._values.get(keys.cluster_config_key(self.cluster))
        if text is None:
            return None
        value = json.loads(text)
        capabilities = value.get("capabilities") or {}
        return RemoteConfig(
            int(value.get("id", 0)),
            int(capabilities.get("maxConnectedClusters", 255)),
            bool(capabilities.get("syncedCanaries")),
        )

    def is_synced(self, state: str) -> bool:
        """Whether the other side's copy of one of STATES' prefixes is whole."""
        return keys.canary_key(self.cluster, state) in self._values

    def count(self, state: str) -> int:
        return sum(1 for key in self._values if key.startswith(state + "/"))

    def nodes(self) -> tuple[RemoteNode, ...]:
        return tuple(node for value in self._parsed(keys.NODES) if (node := _node(value)))

    def services(self) -> tuple[RemoteService, ...]:
        return tuple(_service(value) for value in self._parsed(keys.SERVICES))

    def _parsed(self, state: str) -> Iterable[Mapping[str, Any]]:
        return (json.loads(self._values[key]) for key in sorted(self._values) if key.startswith(state + "/"))

    def _drop_stale(self) -> None:
        for key in [key for key in self._stale if self.is_synced(_state_of(key))]:
            self._stale.discard(key)
            del self._values[key]


def _state_of(key: str) -> str:
    """The prefix of STATES that a key is under, "" when it is no such key."""
    return next((state for state in keys.STATES.values() if key.startswith(state + "/")), "")


def _node(value: Mapping[str, Any]) -> RemoteNode | None:
    internal = [one["IP"] for one in value.get("IPAddresses") or () if one.get("Type") == "InternalIP"]
    address = next(iter(_addresses(internal)), None)
    if address is None:
        return None
    return RemoteNode(value["Cluster"], value["Name"], address, _network(value.get("IPv4AllocCIDR")))


def _network(value: Mapping[str, str] | None) -> IPv4Network | None:
    """Go's net.IPNet."""
    if not value:
        return None

    mask = IPv4Address(base64.b64decode(value["Mask"]))
    return IPv4Network(f"{value['IP']}/{mask}")


def _service(value: Mapping[str, Any]) -> RemoteService:
    backends = [
        RemoteBackend(address, int(port["Port"]), str(port.get("Protocol", "TCP")).lower(), name)
        for text, ports in (value.get("backends") or {}).items()
        for address in _addresses([text])
        for name, port in (ports or {}).items()
    ]
    return RemoteService(value["cluster"], value["namespace"], value["name"], tuple(sorted(backends)))


def _addresses(texts: Iterable[str]) -> Iterable[IPv4Address]:
    for text in texts:
        try:
            yield IPv4Address(text)
        except AddressValueError:
            continue  # IPv6
