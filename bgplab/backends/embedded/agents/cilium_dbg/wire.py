"""BGP's wire format (RFC 4271, 4.3) as the text that GoBGP, and so Cilium's command line, makes of it. Pure."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address

from bgplab.backends.embedded.agents.bgp.adverts import WELL_KNOWN_COMMUNITIES

EXTENDED_LENGTH = 0x10
_COMMUNITY_NAMES = {value: name for name, value in WELL_KNOWN_COMMUNITIES.items()}
_ORIGINS = "ie?"
_AS_SETS = {1: ("{", ",", "}"), 2: ("", " ", ""), 3: ("(", " ", ")"), 4: ("[", ",", "]")}  # by segment type


def prefix_text(nlri: bytes, version: int) -> str:
    """An NLRI: a length in bits and as many octets as it needs."""
    size = 4 if version == 4 else 16
    return f"{ip_address(nlri[1:].ljust(size, bytes(1)))}/{nlri[0]}"


def attributes_text(attributes: Sequence[bytes]) -> str:
    """Path attributes in Go's way of printing a list: `[{Origin: i} {Nexthop: 0.0.0.0}]`."""
    return f"[{' '.join(map(_attribute_text, attributes))}]"


def next_hop(attributes: Sequence[bytes]) -> str:
    """The next hop, from NEXT_HOP or MP_REACH_NLRI (RFC 4760)."""
    for attribute in attributes:
        kind, value = _split(attribute)
        if kind == 3:
            return str(ip_address(value))
        if kind == 14:
            return str(ip_address(_mp_reach(value)[2][:16]))
    return "0.0.0.0"


def _split(attribute: bytes) -> tuple[int, bytes]:
    """(type, value): flags, type, and a length of one or two octets come first."""
    flags, kind = attribute[0], attribute[1]
    return kind, attribute[4:] if flags & EXTENDED_LENGTH else attribute[3:]


def _attribute_text(attribute: bytes) -> str:
    kind, value = _split(attribute)
    show = _TEXTS.get(kind)
    return "{" + (show(value) if show else f"Type: {kind}, Value: {value.hex()}") + "}"


def _as_path(value: bytes) -> str:
    """Segments of a type, a count and four-octet numbers (RFC 6793)."""
    texts = []
    while value:
        kind, count = value[0], value[1]
        numbers = struct.unpack_from(f">{count}I", value, 2)
        start, separator, end = _AS_SETS[kind]
        texts.append(start + separator.join(map(str, numbers)) + end)
        value = value[2 + 4 * count :]
    return f"AsPath: {' '.join(texts)}"


def _communities(value: bytes) -> str:
    numbers = (number for (number,) in struct.iter_unpack(">I", value))
    texts = (_COMMUNITY_NAMES.get(number) or f"{number >> 16}:{number & 0xFFFF}" for number in numbers)
    return f"Communities: {', '.join(texts)}"


def _large_communities(value: bytes) -> str:
    texts = (":".join(map(str, numbers)) for numbers in struct.iter_unpack(">III", value))
    return f"LargeCommunity: [ {', '.join(texts)}]"


def _mp_reach(value: bytes) -> tuple[int, int, bytes, bytes]:
    """(AFI, SAFI, next hops, NLRIs)."""
    afi, safi, length = struct.unpack_from(">HBB", value)
    return afi, safi, value[4 : 4 + length], value[5 + length :]


def _mp_reach_text(value: bytes) -> str:
    afi, safi, hops, nlris = _mp_reach(value)
    version = 4 if afi == 1 else 6
    family = f"ipv{version}-{'unicast' if safi == 1 else safi}"
    prefixes = " ".join(prefix_text(nlri, version) for nlri in _nlris(nlris))
    return f"MpReach({family}): {{Nexthop: {ip_address(hops[:16])}, NLRIs: [{prefixes}]}}"


def _nlris(value: bytes) -> Iterator[bytes]:
    while value:
        size = 1 + (value[0] + 7) // 8
        yield value[:size]
        value = value[size:]


def _number(name: str) -> Callable[[bytes], str]:
    return lambda value: f"{name}: {int.from_bytes(value)}"


_TEXTS: dict[int, Callable[[bytes], str]] = {
    1: lambda value: f"Origin: {_ORIGINS[value[0]]}",
    2: _as_path,
    3: lambda value: f"Nexthop: {ip_address(value)}",
    4: _number("Med"),
    5: _number("LocalPref"),
    8: _communities,
    14: _mp_reach_text,
    32: _large_communities,
}
