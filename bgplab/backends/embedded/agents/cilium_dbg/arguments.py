"""The words after `cilium-dbg`, parsed as its command line library does it: flags may stand anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from bgplab.backends.embedded.agents.bgp.messages import AFIS, SAFIS
from bgplab.backends.embedded.agents.bgp.model import IPV4_UNICAST, Family

DEFAULT_ROUTES = "(Defaulting to `available ipv4 unicast` routes, please see help for more options)\n\n"
DEFAULT_FAMILY = "(Defaulting to `ipv4 unicast` AFI & SAFI, please see help for more options)\n\n"
DEFAULT_SAFI = "(Defaulting to `unicast` SAFI, please see help for more options)\n\n"


class UsageError(Exception):
    """What is printed after `Error: `."""


@dataclass(frozen=True, slots=True)
class Words:
    """Command words without flags. json: `-o json` was given; flags: the others, without their dashes."""

    words: tuple[str, ...]
    json: bool = False
    flags: frozenset[str] = frozenset()


def parse(arguments: Sequence[str]) -> Words:
    """Tell flags from words. Raises UsageError for an output format that is not there."""
    words: list[str] = []
    flags: set[str] = set()
    output: str | None = None
    rest = iter(arguments)
    for argument in rest:
        name, equals, value = argument.partition("=")
        if name in ("-o", "--output"):
            output = value if equals else next(rest, "")
        elif argument.startswith("-o"):
            output = argument[2:]
        elif argument.startswith("-"):
            flags.add(argument.lstrip("-"))
        else:
            words.append(argument)
    if output not in (None, "json"):
        raise UsageError(f"couldn't recognize output format {output!r} (the embedded lab's agent knows json)")
    return Words(tuple(words), output == "json", frozenset(flags))


@dataclass(frozen=True, slots=True)
class RoutesQuery:
    """What `bgp routes` is asked. peer: only what this one was sent; note: what is said about defaults first."""

    advertised: bool = False
    family: Family = IPV4_UNICAST
    asn: int | None = None
    peer: str | None = None
    note: str = ""


def routes_query(words: Sequence[str]) -> RoutesQuery:
    """`<available | advertised> <afi> <safi> [vrouter <asn>] [peer|neighbor <address>]`. Raises UsageError."""
    if not words:
        return RoutesQuery(note=DEFAULT_ROUTES)
    if words[0] not in ("available", "advertised"):
        raise UsageError(
            f"invalid argument: invalid table type discriminator `{words[0]}` (should be `available` / `advertised`)\n"
        )
    advertised = words[0] == "advertised"
    if len(words) < 2:
        return RoutesQuery(advertised, note=DEFAULT_FAMILY)
    if words[1] not in AFIS:
        raise UsageError(f"invalid argument: unknown AFI {words[1]}\n")
    if len(words) < 3:
        return RoutesQuery(advertised, Family(words[1]), note=DEFAULT_SAFI)
    if words[2] not in SAFIS:
        raise UsageError(f"invalid argument: unknown SAFI {words[2]}\n")
    asn, rest = _asn(words[3:]) if words[3:4] == ["vrouter"] else (None, words[3:])
    peer = _peer(rest) if advertised and rest else None
    return RoutesQuery(advertised, Family(words[1], words[2]), asn, peer)


def policies_asn(words: Sequence[str]) -> int | None:
    """`[vrouter <asn>]`. Raises UsageError."""
    if not words:
        return None
    return _asn(words)[0]


def _asn(words: Sequence[str]) -> tuple[int, Sequence[str]]:
    what = "failed to parse vrouter ASN"
    if words[0] != "vrouter":
        raise UsageError(f"{what}: missing `vrouter` parameter\n")
    if len(words) < 2:
        raise UsageError(f"{what}: missing vrouter ASN value\n")
    try:
        return int(words[1]), words[2:]
    except ValueError:
        raise UsageError(f"{what}: invalid vrouter ASN: {words[1]!r} is no number\n") from None


def _peer(words: Sequence[str]) -> str:
    what = "failed to parse peer address"
    if words[0] not in ("peer", "neighbor"):
        raise UsageError(f"{what}: missing `peer` parameter\n")
    if len(words) < 2:
        raise UsageError(f"{what}: missing peer IP address\n")
    try:
        return str(ip_address(words[1]))
    except ValueError as fault:
        raise UsageError(f"{what}: invalid peer IP address: {fault}\n") from None
