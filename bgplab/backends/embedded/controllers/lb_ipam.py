"""Addresses for Services of type LoadBalancer, as cilium-operator gives them (LB-IPAM).

| | Cilium 1.18 | here |
|---|---|---|
| a pool's three counts | one write each, stale on later pools until the next Service event | one write (as in 1.19) |
| widening a block | may move addresses (until 1.18.1) | moves none |
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Hashable, Mapping
from functools import partial
from ipaddress import ip_address
from typing import Any

from bgplab.backends.embedded.controllers.conditions import Condition, find, with_condition
from bgplab.backends.embedded.controllers.ip_allocation import (
    Address,
    Claim,
    Conflict,
    Grant,
    Pool,
    allocate,
    conflicts,
    range_of_block,
    used_in,
)
from bgplab.backends.embedded.controllers.runtime import Informers, Key, Worker, attempt_all, key_of
from bgplab.backends.embedded.crds import release_of, stored_kind
from bgplab.lab.cluster import LB_POOL, SERVICE, Cluster, Kind, Manifest

log = logging.getLogger(__name__)

FIELD_MANAGER = "cilium-operator-lb-ipam"
SATISFIED = "cilium.io/IPAMRequestSatisfied"
POOL_CONFLICT = "cilium.io/PoolConflict"
CLASSES = (None, "io.cilium/bgp-control-plane", "io.cilium/l2-announcer")
ASKED_ANNOTATIONS = ("lbipam.cilium.io/ips", "io.cilium/lb-ipam-ips")
SHARING_KEY_ANNOTATIONS = ("lbipam.cilium.io/sharing-key", "io.cilium/lb-ipam-sharing-key")
SHARING_NAMESPACES_ANNOTATIONS = (
    "lbipam.cilium.io/sharing-cross-namespace",
    "io.cilium/lb-ipam-sharing-cross-namespace",
)
EVERYTHING = "services and pools"


class LbIpam:
    """Looks at all Services and pools at once: addresses are a common good, and a pass takes about a millisecond."""

    def __init__(
        self,
        cluster: Cluster,
        informers: Informers,
        stop: threading.Event,
        *,
        cilium_version: str,
        families: tuple[int, ...] = (4,),
    ) -> None:
        self._cluster = cluster
        self._families = families
        self._protocols_count = release_of(cilium_version) >= (1, 19)
        self._pool_kind = stored_kind(LB_POOL, cilium_version)
        self._pools, self._services = informers.of(self._pool_kind), informers.of(SERVICE)
        self._grants: dict[Key, Grant] = {}
        self._written: dict[Key, Grant] = {}
        self._awake = False
        worker = Worker("lb-ipam", self._reconcile, stop, needs=(self._pools, self._services))
        for informer in (self._pools, self._services):
            informer.subscribe(lambda old, new: worker.enqueue(EVERYTHING))

    def _reconcile(self, _: Hashable) -> None:
        pools = {key_of(manifest)[1]: manifest for manifest in self._pools.list()}
        services = {key_of(manifest): manifest for manifest in self._services.list()}
        if not pools and not self._awake:
            return  # dormant until there is a first pool: not even a condition is written
        self._awake = bool(pools)
        parsed = [pool_of(manifest) for manifest in pools.values()]
        claims = {
            key: claim_of(manifest, self._families, protocols_count=self._protocols_count)
            for key, manifest in services.items()
            if wants_address(manifest)
        }
        self._grants = allocate(parsed, claims.values(), self._before(claims, services))
        in_conflict = conflicts(parsed)
        attempt_all(
            [
                *(partial(self._write_service, key, manifest) for key, manifest in services.items()),
                *(partial(self._write_pool, pools[pool.name], pool, in_conflict.get(pool.name)) for pool in parsed),
            ]
        )

    def _before(self, claims: Mapping[Key, Claim], services: Mapping[Key, Manifest]) -> dict[Key, Grant]:
        """What is given already: as remembered, or after a start as the Services say."""
        return {key: self._grants.get(key) or Grant(claim, ingress_of(services[key])) for key, claim in claims.items()}

    def _write_service(self, key: Key, manifest: Manifest) -> None:
        grant = self._grants.get(key)
        status = manifest.get("status") or {}
        wanted = status_without_address(status) if grant is None else status_with(status, grant)
        managed = grant is not None or key in self._written or find(status.get("conditions"), SATISFIED) is not None
        if not managed or wanted == status or self._only_condition_removed(key, status, grant):
            self._remember(key, grant)
            return
        namespace, name = key
        self._patch_status(SERVICE, name, namespace, wanted)
        self._remember(key, grant)
        if grant is not None:
            log.info("service %s/%s: %s %s", namespace, name, grant.reason, ", ".join(map(str, grant.addresses)))

    def _only_condition_removed(self, key: Key, status: Mapping[str, Any], grant: Grant | None) -> bool:
        """Somebody took the condition away: it is not put back as long as there is nothing new to say."""
        said = self._written.get(key)
        return (
            grant is not None
            and said is not None
            and find(status.get("conditions"), SATISFIED) is None
            and (said.reason, said.message, said.addresses) == (grant.reason, grant.message, grant.addresses)
            and ingress_of({"status": status}) == grant.addresses
        )

    def _remember(self, key: Key, grant: Grant | None) -> None:
        if grant is None:
            self._written.pop(key, None)
        else:
            self._written[key] = grant

    def _write_pool(self, manifest: Manifest, pool: Pool, conflict: Conflict | None) -> None:
        there = (manifest.get("status") or {}).get("conditions") or []
        total, used = sum(block.size for block in pool.ranges), used_in(pool, self._grants.values())
        wanted = pool_conditions(
            there, manifest["metadata"].get("generation", 1), total, used, conflict, bool(pool.ranges)
        )
        if wanted != there:
            self._patch_status(self._pool_kind, pool.name, None, {"conditions": wanted})

    def _patch_status(self, kind: Kind, name: str, namespace: str | None, status: Manifest) -> None:
        answer = self._cluster.patch(
            kind,
            name,
            [{"op": "add", "path": "/status", "value": status}],
            namespace,
            type="json",
            subresource="status",
            field_manager=FIELD_MANAGER,
        )
        (self._services if kind is SERVICE else self._pools).learn(answer)


def wants_address(service: Manifest) -> bool:
    spec = service["spec"]
    deleted = "deletionTimestamp" in service["metadata"]
    return spec.get("type") == "LoadBalancer" and spec.get("loadBalancerClass") in CLASSES and not deleted


def claim_of(service: Manifest, enabled: tuple[int, ...], *, protocols_count: bool) -> Claim:
    """A Service's claim. `enabled` are the cluster's address families."""
    metadata, spec = service["metadata"], service["spec"]
    annotations = metadata.get("annotations") or {}
    name = {"io.kubernetes.service.name": metadata["name"], "io.kubernetes.service.namespace": metadata["namespace"]}
    shared_with = _first(annotations, SHARING_NAMESPACES_ANNOTATIONS)
    return Claim(
        key=key_of(service),
        created=metadata.get("creationTimestamp", ""),
        labels={**(metadata.get("labels") or {}), **name},
        families=families_of(spec, enabled),
        asked=asked_by(service),
        sharing_key=_first(annotations, SHARING_KEY_ANNOTATIONS),
        shared_with=frozenset(word.strip() for word in shared_with.split(",") if word.strip()),
        ports=frozenset(
            (port["port"], port.get("protocol", "TCP") if protocols_count else "") for port in spec.get("ports") or []
        ),
        policy=spec.get("externalTrafficPolicy", "Cluster"),
        selector=spec.get("selector") or {},
    )


def families_of(spec: Mapping[str, Any], enabled: tuple[int, ...]) -> tuple[int, ...]:
    """The address families a Service wants, IPv4 first."""
    if spec.get("ipFamilyPolicy") in ("PreferDualStack", "RequireDualStack"):
        return tuple(sorted(enabled))
    named = spec.get("ipFamilies") or []
    return (6,) if named[:1] == ["IPv6"] else (4,)


def asked_by(service: Manifest) -> tuple[Address, ...]:
    """The addresses a Service asks for; what is not an address is ignored, as Cilium does."""
    annotations = service["metadata"].get("annotations") or {}
    words = [service["spec"].get("loadBalancerIP", ""), *_first(annotations, ASKED_ANNOTATIONS).split(",")]
    addresses = (_address(word.strip()) for word in words)
    return tuple(dict.fromkeys(address for address in addresses if address is not None))


def pool_of(manifest: Manifest) -> Pool:
    """A pool; one with a block that makes no sense has no addresses, as in Cilium."""
    spec = manifest["spec"]
    allow_first_last = spec.get("allowFirstLastIPs", "Yes") != "No"
    try:
        ranges = tuple(range_of_block(block, allow_first_last=allow_first_last) for block in spec.get("blocks") or [])
    except ValueError as fault:
        log.warning("pool %s: %s", manifest["metadata"]["name"], fault)
        ranges = ()
    return Pool(
        name=manifest["metadata"]["name"],
        ranges=ranges,
        created=manifest["metadata"].get("creationTimestamp", ""),
        disabled=bool(spec.get("disabled")),
        selector=spec.get("serviceSelector"),
    )


def pool_conditions(
    there: list[dict[str, Any]], generation: int, total: int, used: int, conflict: Conflict | None, sound: bool
) -> list[dict[str, Any]]:
    """A pool's conditions, in Cilium's order; the numbers are in the messages. An unsound pool has no PoolConflict."""
    wanted = [
        Condition(f"cilium.io/{name}", "Unknown", "noreason", str(number), generation)
        for name, number in (("IPsTotal", total), ("IPsAvailable", total - used), ("IPsUsed", used))
    ]
    if conflict:
        wanted.insert(0, Condition(POOL_CONFLICT, "True", "cidr_overlap", str(conflict), generation))
    elif sound:
        wanted.insert(0, Condition(POOL_CONFLICT, "False", "resolved", "", generation))
    for condition in wanted:
        there = with_condition(there, condition)
    return there


def ingress_of(service: Manifest) -> tuple[Address, ...]:
    entries = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    addresses = (_address(entry.get("ip", "")) for entry in entries)
    return tuple(address for address in addresses if address is not None)


def status_with(status: Mapping[str, Any], grant: Grant) -> dict[str, Any]:
    """A Service's status that says the grant; unchanged parts stay as the API server has written them."""
    condition = Condition(SATISFIED, "True" if grant.satisfied else "False", grant.reason, grant.message)
    balancer = status.get("loadBalancer") or {}
    if ingress_of({"status": status}) != grant.addresses:
        balancer = {"ingress": [{"ip": str(address)} for address in grant.addresses]} if grant.addresses else {}
    conditions = with_condition(status.get("conditions"), condition)
    return {**status, "loadBalancer": balancer, "conditions": conditions}


def status_without_address(status: Mapping[str, Any]) -> dict[str, Any]:
    """What is left of the status of a Service that is no longer ours."""
    others = [condition for condition in status.get("conditions") or [] if condition["type"] != SATISFIED]
    return {"loadBalancer": {}, **({"conditions": others} if others else {})}


def _first(annotations: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((annotations[name] for name in names if name in annotations), "")


def _address(word: str) -> Address | None:
    try:
        return ip_address(word)
    except ValueError:
        return None
