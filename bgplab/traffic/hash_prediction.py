"""Which next hop Linux takes for a connection, computed from the hash seed, the flow and the next hops. Pure.

What the kernel does (Linux 6.11 or later with `fib_multipath_hash_seed` set; names are its own):

1. The fields that the policy hashes are laid out as `struct flow_keys` (include/net/flow_dissector.h), all others 0.
2. `__flow_hash_consistentify` puts the smaller address and the smaller port first, compared as they lie in memory, so
   that both directions of a connection hash alike.
3. `flow_hash_from_keys_seed` is SipHash-2-4 of these 48 bytes, cut to 32 bits; its key is the seed, four times
   (include/net/ip_fib.h). One bit is dropped: `fib_multipath_hash` returns 31.
4. `nexthop_select_path_hthr` takes the first next hop of the group whose bound is not below the hash; bounds divide
   2³¹ by weight (`nh_hthr_group_rebalance`).

True for connections that the router itself opens, under policies 0, 1 and 3 (IPv4), over routes with a next hop
object, as FRR makes them, and from a source port that it was given: for one that the kernel chooses, Linux 6.18 routes
before there is one, by a random number (`FLOWI_FLAG_ANY_SPORT`). A forwarded packet brings a hash of its own under
policy 1, which nobody outside can know; under policy 3 see `packet_hash`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

TCP = 6
_MASK = (1 << 64) - 1

#: fib_multipath_hash_fields (Documentation/networking/ip-sysctl.rst).
SOURCE_ADDRESS, DESTINATION_ADDRESS, PROTOCOL, SOURCE_PORT, DESTINATION_PORT = 0x1, 0x2, 0x4, 0x10, 0x20
FIELDS_OF_POLICY = {
    0: SOURCE_ADDRESS | DESTINATION_ADDRESS,
    1: SOURCE_ADDRESS | DESTINATION_ADDRESS | PROTOCOL | SOURCE_PORT | DESTINATION_PORT,
}


@dataclass(frozen=True, slots=True)
class Flow:
    """A TCP connection as its opener sees it."""

    source: IPv4Address
    source_port: int
    destination: IPv4Address
    destination_port: int


def fields_hashed(policy: int, fields: int) -> int | None:
    """The fields that count under a policy; `fields` is the sysctl's value, for policy 3. None: not known here."""
    return fields if policy == 3 else FIELDS_OF_POLICY.get(policy)


def multipath_hash(flow: Flow, seed: int, fields: int) -> int:
    """The 31 bits by which the kernel chooses. Raises ValueError for a seed that is none (0 means a random one)."""
    if not 1 <= seed < 1 << 32:
        raise ValueError(
            f"a hash seed is a number from 1 to 4294967295, not {seed}: 0 is a random one, not to be known"
        )
    key = (seed << 32) | seed
    hashed = siphash24(_flow_keys(flow, fields), key, key) & 0xFFFFFFFF
    return (hashed or 1) >> 1


def packet_hash(flow: Flow, seed: int, fields: int) -> int:
    """The same for a packet under policy 3: of somebody else's connection, and what `ip route get` answers for.

    `fib_multipath_custom_hash_skb` mixes in the hash of what a tunnel carries, 0 here; a router's own connection has no
    packet yet when it is routed, and goes without.
    """
    key = (seed << 32) | seed
    outer = siphash24(_flow_keys(flow, fields), key, key) & 0xFFFFFFFF
    return _jhash_2words(outer or 1, 0) >> 1


def next_hop_index(hashed: int, weights: Sequence[int]) -> int:
    """Which of the group's next hops a hash falls to, in the group's order. Raises ValueError without a next hop."""
    total, upto = sum(weights), 0
    for index, weight in enumerate(weights):
        upto += weight
        if hashed <= ((upto << 31) + total // 2) // total - 1:
            return index
    raise ValueError("a group has next hops, and their weights are positive")


def _flow_keys(flow: Flow, fields: int) -> bytes:
    """From `basic` on: protocol, tags, two VLANs, key id, ports, ICMP, IPv4 addresses, and what pads to 8 bytes."""

    def kept(field: int, value: bytes) -> bytes:
        return value if fields & field else bytes(len(value))

    addresses = [kept(SOURCE_ADDRESS, flow.source.packed), kept(DESTINATION_ADDRESS, flow.destination.packed)]
    ports = [
        kept(SOURCE_PORT, struct.pack("!H", flow.source_port)),
        kept(DESTINATION_PORT, struct.pack("!H", flow.destination_port)),
    ]
    protocol = TCP if fields & PROTOCOL else 0
    first = struct.pack("<HBB", 0, protocol, 0) + bytes(4 + 8 + 8 + 4)
    return first + b"".join(_in_order(ports)) + bytes(4) + b"".join(_in_order(addresses)) + bytes(4)


def _in_order(pair: list[bytes]) -> list[bytes]:
    """Smaller first, as a little-endian machine reads them."""
    return sorted(pair, key=lambda value: int.from_bytes(value, "little"))


def siphash24(data: bytes, key0: int, key1: int) -> int:
    """SipHash-2-4 (Aumasson, Bernstein 2012) with a 128-bit key in two words; 64 bits."""
    v0, v1 = key0 ^ 0x736F6D6570736575, key1 ^ 0x646F72616E646F6D
    v2, v3 = key0 ^ 0x6C7967656E657261, key1 ^ 0x7465646279746573
    whole = len(data) // 8 * 8
    last = int.from_bytes(data[whole:], "little") | (len(data) & 0xFF) << 56
    for word in (*struct.unpack(f"<{whole // 8}Q", data[:whole]), last):
        v3 ^= word
        v0, v1, v2, v3 = _round(*_round(v0, v1, v2, v3))
        v0 ^= word
    v2 ^= 0xFF
    for _ in range(4):
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3


def _round(v0: int, v1: int, v2: int, v3: int) -> tuple[int, int, int, int]:
    v0 = (v0 + v1) & _MASK
    v1 = _rotated(v1, 13) ^ v0
    v0 = _rotated(v0, 32)
    v2 = (v2 + v3) & _MASK
    v3 = _rotated(v3, 16) ^ v2
    v0 = (v0 + v3) & _MASK
    v3 = _rotated(v3, 21) ^ v0
    v2 = (v2 + v1) & _MASK
    v1 = _rotated(v1, 17) ^ v2
    v2 = _rotated(v2, 32)
    return v0, v1, v2, v3


def _rotated(value: int, bits: int) -> int:
    return ((value << bits) | (value >> (64 - bits))) & _MASK


def _jhash_2words(first: int, second: int) -> int:
    """Jenkins' hash of two words (include/linux/jhash.h)."""
    start = 0xDEADBEEF + (2 << 2)
    a, b, c = (first + start) & 0xFFFFFFFF, (second + start) & 0xFFFFFFFF, start
    for bits in (14, 11, 25, 16, 4, 14, 24):  # a, b, c take turns: (c, b), (a, c), (b, a), …
        c = ((c ^ b) - _rotated_32(b, bits)) & 0xFFFFFFFF
        a, b, c = b, c, a
    return b


def _rotated_32(value: int, bits: int) -> int:
    return ((value << bits) | (value >> (32 - bits))) & 0xFFFFFFFF
