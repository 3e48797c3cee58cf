"""From advertisements to paths and route policies, as Cilium 1.18 does it. Pure.

peer → its CiliumBGPPeerConfig → per family a selector over CiliumBGPAdvertisement objects → their entries → prefixes.
Every prefix is one path of the instance, whoever wants it; which peer gets it is the policies' business.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network
from typing import Any

from bgplab.backends.embedded.agents.bgp.model import Address, Family, Policy, Prefix, PrefixMatch, Statement
from bgplab.backends.embedded.controllers.selectors import matches

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
LOAD_BALANCER_CLASS = "io.cilium/bgp-control-plane"

ServiceKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Audience:
    """A peer with its configuration: who is told. address: None when the peer has none, then nobody is."""

    name: str
    address: Address | None
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Goods:
    """What a node has to advertise. local_services: (namespace, name) of those with a ready endpoint on it."""

    pod_cidrs: tuple[Prefix, ...]
    services: tuple[Mapping[str, Any], ...]
    local_services: frozenset[ServiceKey]


@dataclass(frozen=True, slots=True)
class Offer:
    """One advertisement entry applied to one peer and one resource."""

    policy: str
    neighbor: Address | None
    prefixes: tuple[Prefix, ...]
    attributes: Mapping[str, Any]


def services_with_local_endpoint(slices: Iterable[Mapping[str, Any]], node_name: str) -> frozenset[ServiceKey]:
    """Services with an endpoint on the node that is ready.

    1.18 was seen to withdraw for an endpoint that is not ready and for one that terminates though it still serves
    (cilium-observed 1); a missing `ready` means ready (the EndpointSlice API).
    """
    return frozenset(
        _service_of(piece)
        for piece in slices
        if any(endpoint.get("nodeName") == node_name and _is_ready(endpoint) for endpoint in _endpoints(piece))
    )


def nodes_with_ready_endpoint(slices: Iterable[Mapping[str, Any]]) -> frozenset[tuple[str, ServiceKey]]:
    """The same for all nodes at once: which node has a ready endpoint of which Service."""
    return frozenset(
        (endpoint.get("nodeName") or "", _service_of(piece))
        for piece in slices
        for endpoint in _endpoints(piece)
        if _is_ready(endpoint)
    )


def _endpoints(piece: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    return piece.get("endpoints") or ()


def _service_of(piece: Mapping[str, Any]) -> ServiceKey:
    metadata = piece["metadata"]
    return metadata.get("namespace", ""), (metadata.get("labels") or {}).get(SERVICE_NAME_LABEL, "")


def _is_ready(endpoint: Mapping[str, Any]) -> bool:
    conditions = endpoint.get("conditions") or {}
    return conditions.get("ready") is not False and not conditions.get("terminating")


def offers(
    audiences: Iterable[Audience], advertisements: Sequence[Mapping[str, Any]], goods: Goods
) -> tuple[Offer, ...]:
    """Everything that is advertised to anybody. Raises ValueError for an entry the lab cannot play."""
    in_order = sorted(advertisements, key=lambda manifest: manifest["metadata"]["name"])
    return tuple(
        offer
        for audience in audiences
        for family in audience.config.get("families") or ()
        for entry in _selected(family.get("advertisements"), in_order)
        for offer in _of_entry(audience, Family(family["afi"], family["safi"]), entry, goods)
        if offer.prefixes
    )


def _selected(
    selector: Mapping[str, Any] | None, advertisements: Iterable[Mapping[str, Any]]
) -> Iterator[Mapping[str, Any]]:
    for manifest in advertisements:
        if selector is not None and matches(selector, manifest["metadata"].get("labels") or {}):
            yield from manifest["spec"]["advertisements"]


def _of_entry(audience: Audience, family: Family, entry: Mapping[str, Any], goods: Goods) -> Iterator[Offer]:
    kind, attributes = entry["advertisementType"], entry.get("attributes") or {}
    start = f"{audience.name}-{family.afi}-{kind}"
    if kind == "PodCIDR":
        yield Offer(start, audience.address, _of_family(goods.pod_cidrs, family), attributes)
    elif kind == "Service":
        for service in goods.services:
            for what, prefixes in _service_prefixes(service, entry, goods.local_services):
                metadata = service["metadata"]
                name = f"{start}-{metadata['name']}-{metadata['namespace']}-{what}"
                yield Offer(name, audience.address, _of_family(prefixes, family), attributes)
    else:
        raise ValueError(f"advertisement type {kind} is not supported by the embedded lab")


def _of_family(prefixes: Iterable[Prefix], family: Family) -> tuple[Prefix, ...]:
    """The prefixes that can be advertised in a family; only unicast carries any."""
    version = {"ipv4": 4, "ipv6": 6}.get(family.afi) if family.safi == "unicast" else None
    return tuple(sorted({prefix for prefix in prefixes if prefix.version == version}, key=str))


def _service_prefixes(
    service: Mapping[str, Any], entry: Mapping[str, Any], local: frozenset[ServiceKey]
) -> Iterator[tuple[str, tuple[Prefix, ...]]]:
    """(kind of address, prefixes) for each kind that the entry names; nothing when it does not select the Service."""
    options, metadata = entry.get("service"), service["metadata"]
    key = (metadata["namespace"], metadata["name"])
    labels = {
        **(metadata.get("labels") or {}),
        "io.kubernetes.service.name": key[1],
        "io.kubernetes.service.namespace": key[0],
    }
    selector = entry.get("selector")  # absent: selects nothing, as documented for Services
    if options is None or selector is None or not matches(selector, labels):
        return
    for what in dict.fromkeys(options.get("addresses") or ()):
        only_local = service["spec"].get(_POLICY_FIELD[what]) == "Local"
        if only_local and key not in local:
            continue
        lengths = {} if only_local else options  # no aggregation where each node answers for itself
        yield what, tuple(_prefix(address, lengths) for address in _ADDRESSES[what](service))


def _prefix(address: str, lengths: Mapping[str, Any]) -> Prefix:
    parsed = ip_address(address)
    length = lengths.get(f"aggregationLengthIPv{parsed.version}", parsed.max_prefixlen)
    return ip_network((parsed, length), strict=False)


def _load_balancer_addresses(service: Mapping[str, Any]) -> list[str]:
    spec = service["spec"]
    if spec.get("type") != "LoadBalancer" or spec.get("loadBalancerClass") not in (None, LOAD_BALANCER_CLASS):
        return []
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return [point["ip"] for point in ingress if point.get("ip")]


def _external_addresses(service: Mapping[str, Any]) -> list[str]:
    return [address for address in service["spec"].get("externalIPs") or () if address]


def _cluster_addresses(service: Mapping[str, Any]) -> list[str]:
    spec = service["spec"]
    return sorted({spec.get("clusterIP"), *(spec.get("clusterIPs") or ())} - {None, "", "None"})


_ADDRESSES = {
    "LoadBalancerIP": _load_balancer_addresses,
    "ExternalIP": _external_addresses,
    "ClusterIP": _cluster_addresses,
}
_POLICY_FIELD = {
    "LoadBalancerIP": "externalTrafficPolicy",
    "ExternalIP": "externalTrafficPolicy",
    "ClusterIP": "internalTrafficPolicy",
}


def policies_from(offered: Iterable[Offer]) -> tuple[Policy, ...]:
    """One policy per name, sorted by it. Entries that say something about the same prefixes are merged:
    communities united, highest localPreference wins (cilium-observed 1, C04)."""
    by_name: dict[str, dict[tuple[PrefixMatch, ...], Statement]] = {}
    for offer in offered:
        if offer.neighbor is None:
            continue
        new = _statement(offer)
        statements = by_name.setdefault(offer.policy, {})
        there = statements.get(new.prefixes)
        statements[new.prefixes] = new if there is None else _merged(there, new)
    return tuple(Policy(name, tuple(by_name[name].values())) for name in sorted(by_name))


def _statement(offer: Offer) -> Statement:
    assert offer.neighbor is not None
    communities = offer.attributes.get("communities") or {}
    return Statement(
        neighbors=(f"{offer.neighbor}/{offer.neighbor.max_prefixlen}",),
        prefixes=tuple(PrefixMatch(str(each), each.prefixlen, each.prefixlen) for each in offer.prefixes),
        local_preference=offer.attributes.get("localPreference"),
        communities=_without_repeats([*communities.get("standard", ()), *communities.get("wellKnown", ())]),
        large_communities=tuple(dict.fromkeys(communities.get("large", ()))),
    )


def _merged(one: Statement, other: Statement) -> Statement:
    preferences = [each.local_preference for each in (one, other) if each.local_preference is not None]
    return replace(
        one,
        local_preference=max(preferences, default=None),
        communities=tuple(sorted({*one.communities, *other.communities})),
        large_communities=tuple(sorted({*one.large_communities, *other.large_communities})),
    )


def _without_repeats(communities: Iterable[str]) -> tuple[str, ...]:
    """The first writing of each community: `65535:65281`, `4294967041` and `no-export` are the same."""
    first: dict[int, str] = {}
    for text in communities:
        first.setdefault(community_value(text), text)
    return tuple(first.values())


def community_value(text: str) -> int:
    """A standard community as the 32 bits on the wire (RFC 1997)."""
    if text in WELL_KNOWN_COMMUNITIES:
        return WELL_KNOWN_COMMUNITIES[text]
    high, colon, low = text.partition(":")
    return (int(high) << 16) + int(low) if colon else int(text)


#: IANA's registry of well-known communities, with the names of Cilium's CRD (which are GoBGP's).
WELL_KNOWN_COMMUNITIES = {
    "internet": 0x00000000,
    "planned-shut": 0xFFFF0000,
    "accept-own": 0xFFFF0001,
    "route-filter-translated-v4": 0xFFFF0002,
    "route-filter-v4": 0xFFFF0003,
    "route-filter-translated-v6": 0xFFFF0004,
    "route-filter-v6": 0xFFFF0005,
    "llgr-stale": 0xFFFF0006,
    "no-llgr": 0xFFFF0007,
    "blackhole": 0xFFFF029A,
    "no-export": 0xFFFFFF01,
    "no-advertise": 0xFFFFFF02,
    "no-export-subconfed": 0xFFFFFF03,
    "no-peer": 0xFFFFFF04,
}
