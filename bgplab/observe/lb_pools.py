"""`kubectl get ippool`: CiliumLoadBalancerIPPool objects. Counts are messages of conditions."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network

from bgplab.lab.cluster import LB_POOL, Cluster, Manifest


@dataclass(frozen=True, slots=True)
class PoolSeen:
    """One pool; a count is None until the operator has written it. conflict: the message while it conflicts."""

    name: str
    blocks: tuple[IPv4Network, ...]
    allow_first_last: bool
    disabled: bool
    conflict: str | None
    total: int | None
    available: int | None
    used: int | None


@dataclass(frozen=True, slots=True)
class Pools:
    pools: tuple[PoolSeen, ...]

    def named(self, name: str) -> PoolSeen | None:
        return next((pool for pool in self.pools if pool.name == name), None)


def read_pools(cluster: Cluster) -> Pools:
    return Pools(tuple(parse_pool(item) for item in cluster.list(LB_POOL)))


def parse_pool(item: Manifest) -> PoolSeen:
    spec = item.get("spec", {})
    conditions = {entry["type"]: entry for entry in (item.get("status") or {}).get("conditions") or []}
    conflict = conditions.get("cilium.io/PoolConflict", {})
    return PoolSeen(
        item["metadata"]["name"],
        tuple(IPv4Network(block["cidr"], strict=False) for block in spec.get("blocks") or [] if "cidr" in block),
        spec.get("allowFirstLastIPs", "Yes") == "Yes",
        bool(spec.get("disabled")),
        conflict.get("message") if conflict.get("status") == "True" else None,
        _count(conditions, "cilium.io/IPsTotal"),
        _count(conditions, "cilium.io/IPsAvailable"),
        _count(conditions, "cilium.io/IPsUsed"),
    )


def _count(conditions: dict[str, Manifest], type_: str) -> int | None:
    message = conditions.get(type_, {}).get("message", "")
    return int(message) if message.isdigit() else None
