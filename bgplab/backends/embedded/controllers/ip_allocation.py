"""Which Service gets which address: Cilium's LB-IPAM as a pure function of pools, claims and what was given before.

The exact texts and the order of events are Cilium's (facts: cilium-observed.md, section 2).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from bgplab.backends.embedded.controllers.selectors import matches

Address = IPv4Address | IPv6Address
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Range:
    """Consecutive addresses of a pool. `reserved` ones are never given, but count as used."""

    first: Address
    last: Address
    reserved: tuple[Address, ...] = ()

    @property
    def size(self) -> int:
        return int(self.last) - int(self.first) + 1

    def __contains__(self, address: Address) -> bool:
        return address.version == self.first.version and int(self.first) <= int(address) <= int(self.last)

    def __str__(self) -> str:
        return f"{self.first} - {self.last}"

    def overlaps(self, other: Range) -> bool:
        return other.first in self or self.first in other


@dataclass(frozen=True, slots=True)
class Pool:
    """A CiliumLoadBalancerIPPool. `created` orders pools: of two that overlap the newer is in conflict."""

    name: str
    ranges: tuple[Range, ...]
    created: str = ""
    disabled: bool = False
    selector: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """What a Service of type LoadBalancer wants.

    labels: the Service's and io.kubernetes.service.{name,namespace}; families: 4 and 6, in the order of `ingress`;
    asked: loadBalancerIP first, then the annotation's; ports: the protocol is "" where it does not count (before 1.19);
    shared_with: namespaces (or "*") from `sharing-cross-namespace`.
    """

    key: Key
    created: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    families: tuple[int, ...] = (4,)
    asked: tuple[Address, ...] = ()
    sharing_key: str = ""
    shared_with: frozenset[str] = frozenset()
    ports: frozenset[tuple[int, str]] = frozenset()
    policy: str = "Cluster"
    selector: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a claim got. `reason` and `message` are those of the condition cilium.io/IPAMRequestSatisfied."""

    claim: Claim
    addresses: tuple[Address, ...] = ()
    reason: str = "satisfied"
    message: str = ""

    @property
    def satisfied(self) -> bool:
        return self.reason == "satisfied"


@dataclass(frozen=True, slots=True)
class Conflict:
    """A pool's range overlaps one of an older pool (or of itself)."""

    own: Range
    other: Range
    other_pool: str

    def __str__(self) -> str:
        return f"Pool conflicts since range '{self.own}' overlaps range '{self.other}' from IP Pool '{self.other_pool}'"


def range_of_block(block: Mapping[str, str], *, allow_first_last: bool) -> Range:
    """The addresses of one block of a pool; host bits of a CIDR are masked off.

    Raises ValueError on an empty block, a stop before its start, or something that is no address.
    """
    if block.get("cidr"):
        network = ip_network(block["cidr"], strict=False)
        ends = (network[0], network[-1])
        return Range(*ends, reserved=ends if not allow_first_last and network.num_addresses >= 3 else ())
    if not block.get("start"):
        raise ValueError("a block needs `cidr` or `start`")
    first, last = ip_address(block["start"]), ip_address(block.get("stop") or block["start"])
    if first.version != last.version or int(last) < int(first):
        raise ValueError(f"stop {last} lies before start {first}")
    return Range(first, last)


def conflicts(pools: Iterable[Pool]) -> dict[str, Conflict]:
    """The conflicting pools by name. A pool in conflict hands out nothing; what it gave stays."""
    found: dict[str, Conflict] = {}
    elder: list[tuple[Range, str]] = []
    for pool in in_order(pools):
        for own in pool.ranges:
            for other, owner in elder:
                if own.overlaps(other):
                    found.setdefault(pool.name, Conflict(own, other, owner))
            elder.append((own, pool.name))
    return found


def in_order(pools: Iterable[Pool]) -> list[Pool]:
    """Oldest first; by name when of the same second."""
    return sorted(pools, key=lambda pool: (pool.created, pool.name))


def allocate(pools: Iterable[Pool], claims: Iterable[Claim], before: Mapping[Key, Grant]) -> dict[Key, Grant]:
    """Give every claim its addresses, changing as little as possible of what was given `before`.

    Unchanged claims keep theirs first, then changed ones, so that of two Services which now collide the changed one
    moves. Then those that lack something are served, oldest first.
    """
    ledger = _Ledger(in_order(pools))
    order = sorted(claims, key=lambda claim: (not _unchanged(claim, before), claim.created, claim.key))
    kept = {
        claim.key: ledger.keep(claim, before[claim.key].addresses if claim.key in before else ()) for claim in order
    }
    return {claim.key: ledger.serve(claim, kept[claim.key]) for claim in order}


def used_in(pool: Pool, grants: Iterable[Grant]) -> int:
    """Addresses of a pool that cannot be given any more: given ones and reserved ones."""
    given = {address for grant in grants for address in grant.addresses}
    return sum(len(set(block.reserved) | {address for address in given if address in block}) for block in pool.ranges)


def incompatibility(one: Claim, other: Claim) -> str:
    """Why two Services cannot share an address; "" when they can."""
    if one.sharing_key != other.sharing_key:
        return "different sharing key"
    if not (_admits(one, other) and _admits(other, one)):
        return "different and not permitted namespace"
    common = one.ports & other.ports
    if common:
        return "same port and protocol" if any(protocol for _, protocol in common) else "same port"
    if one.policy != other.policy:
        return "different ExternalTrafficPolicy"
    if one.policy == "Local" and (not one.selector or one.selector != other.selector):
        return "compatible ExternalTrafficPolicy local but selecting different set of pods"
    return ""


def lowest_of_smallest_gap(block: Range, taken: Iterable[Address]) -> Address | None:
    """The next address of a range: the lowest one of its smallest run of free addresses."""
    gaps = list(_gaps(block, sorted({int(address) for address in (*taken, *block.reserved) if address in block})))
    if not gaps:
        return None
    first, _ = min(gaps, key=lambda gap: (gap[1] - gap[0], gap[0]))
    return type(block.first)(first)


def _gaps(block: Range, taken: Sequence[int]) -> Iterator[tuple[int, int]]:
    free_from = int(block.first)
    for address in taken:
        if address > free_from:
            yield free_from, address - 1
        free_from = address + 1
    if free_from <= int(block.last):
        yield free_from, int(block.last)


def _admits(one: Claim, other: Claim) -> bool:
    return one.key[0] == other.key[0] or other.key[0] in one.shared_with or "*" in one.shared_with


def _unchanged(claim: Claim, before: Mapping[Key, Grant]) -> bool:
    return claim.key in before and before[claim.key].claim == claim


class _Ledger:
    """Who holds which address, while one allocation is worked out."""

    def __init__(self, pools: Sequence[Pool]) -> None:
        in_conflict = conflicts(pools)
        self._pools = pools
        self._open = [pool for pool in pools if not pool.disabled and pool.name not in in_conflict]
        self._holders: dict[Address, list[Claim]] = {}

    def keep(self, claim: Claim, held: Iterable[Address]) -> tuple[Address, ...]:
        """What the claim may keep of what it holds."""
        return tuple(address for address in held if self._may_keep(claim, address) and self._take(claim, address))

    def serve(self, claim: Claim, kept: tuple[Address, ...]) -> Grant:
        """The claim's grant, given what it has kept."""
        return self._serve_asked(claim, kept) if claim.asked else self._serve_any(claim, kept)

    def _may_keep(self, claim: Claim, address: Address) -> bool:
        wanted = address in claim.asked if claim.asked else address.version in claim.families
        in_pool = any(address in block and _selects(pool, claim) for pool in self._pools for block in pool.ranges)
        return wanted and in_pool and not self._obstacle(claim, address)

    def _serve_asked(self, claim: Claim, kept: tuple[Address, ...]) -> Grant:
        grant = Grant(claim)
        given = list(kept)
        for address in claim.asked:
            if address in kept:
                continue
            reason, message = self._refusal(claim, address)
            if reason:
                grant = replace(grant, reason=reason, message=message)
            else:
                self._take(claim, address)
                given.append(address)
        return replace(grant, addresses=tuple(sorted(given, key=claim.asked.index)))

    def _serve_any(self, claim: Claim, kept: tuple[Address, ...]) -> Grant:
        grant = Grant(claim)
        given = list(kept)
        for family in claim.families:
            if any(address.version == family for address in kept):
                continue
            address = self._shared(claim, family) or self._fresh(claim, family)
            if address is None:
                reason, message = self._shortage(claim, family)
                grant = replace(grant, reason=reason, message=message)
            else:
                self._take(claim, address)
                given.append(address)
        return replace(grant, addresses=tuple(sorted(given, key=lambda address: address.version)))

    def _refusal(self, claim: Claim, address: Address) -> tuple[str, str]:
        """Why an asked address cannot be had: (reason, message), ("", "") when it can."""
        obstacle = self._obstacle(claim, address)
        if obstacle and claim.sharing_key:
            text = f"The IP '{address}' is already allocated to an incompatible service. Reason: {obstacle}"
            return "already_allocated_incompatible_service", text
        containing = [(pool, block) for pool in self._open for block in pool.ranges if address in block]
        if obstacle or any(address in block.reserved for _, block in containing):
            return "already_allocated", f"The IP '{address}' is already allocated to another service"
        if not containing:
            return "no_pool", f"No pool exists with a CIDR containing '{address}'"
        if not any(_selects(pool, claim) for pool, _ in containing):
            text = f"The pool with the CIDR containing '{address}', doesn't select this service"
            return "pool_selector_mismatch", text
        return "", ""

    def _shortage(self, claim: Claim, family: int) -> tuple[str, str]:
        if any(True for _ in self._blocks_for(claim, family)):
            return (
                "out_of_ips",
                "All enabled CiliumLoadBalancerIPPools that match this service ran out of allocatable IPs",
            )
        return "no_pool", "There are no enabled CiliumLoadBalancerIPPools that match this service"

    def _shared(self, claim: Claim, family: int) -> Address | None:
        """An address that others with the same sharing key hold and would share."""
        if not claim.sharing_key:
            return None
        for block in self._blocks_for(claim, family):
            for address in sorted(held for held in self._holders if held in block):
                holders = self._holders[address]
                same_key = all(holder.sharing_key == claim.sharing_key for holder in holders)
                if same_key and not self._obstacle(claim, address):
                    return address
        return None

    def _fresh(self, claim: Claim, family: int) -> Address | None:
        candidates = (lowest_of_smallest_gap(block, self._holders) for block in self._blocks_for(claim, family))
        return next((address for address in candidates if address is not None), None)

    def _blocks_for(self, claim: Claim, family: int) -> Iterator[Range]:
        for pool in self._open:
            if _selects(pool, claim):
                yield from (block for block in pool.ranges if block.first.version == family)

    def _obstacle(self, claim: Claim, address: Address) -> str:
        """Why the claim cannot join the present holders of an address; "" when it can or nobody holds it."""
        holders = [holder for holder in self._holders.get(address, []) if holder.key != claim.key]
        if holders and not claim.sharing_key:
            return "different sharing key"
        return next((reason for holder in holders if (reason := incompatibility(claim, holder))), "")

    def _take(self, claim: Claim, address: Address) -> bool:
        self._holders.setdefault(address, []).append(claim)
        return True


def _selects(pool: Pool, claim: Claim) -> bool:
    return matches(pool.selector, claim.labels)
