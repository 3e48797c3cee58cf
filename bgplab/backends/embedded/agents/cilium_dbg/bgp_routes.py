"""`cilium-dbg bgp routes`: the instances' own tables, and what they have sent to their peers."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from bgplab.backends.embedded.agents.bgp.model import Route
from bgplab.backends.embedded.agents.cilium_dbg.bgp_peers import nanoseconds, without_zeros
from bgplab.backends.embedded.agents.cilium_dbg.durations import in_seconds
from bgplab.backends.embedded.agents.cilium_dbg.tabwriter import laid_out
from bgplab.backends.embedded.agents.cilium_dbg.wire import attributes_text, next_hop, prefix_text


@dataclass(frozen=True, slots=True)
class Listed:
    """A route with the instance it is from; neighbor: whom it was sent to, "" for the instance's own table."""

    asn: int
    neighbor: str
    route: Route


def in_order(listed: Iterable[Listed]) -> list[Listed]:
    return sorted(listed, key=lambda each: (each.asn, each.neighbor, each.route.prefix))


def routes_table(listed: Iterable[Listed], now: datetime, with_peer: bool) -> str:
    heading = "VRouter\t" + ("Peer\t" if with_peer else "") + "Prefix\tNextHop\tAge\tAttrs\n"
    return laid_out(heading + "".join(_row(each, now, with_peer) for each in in_order(listed)))


def _row(listed: Listed, now: datetime, with_peer: bool) -> str:
    route = listed.route
    cells = [
        str(listed.asn),
        *([listed.neighbor] if with_peer else []),
        prefix_text(route.nlri, 6 if route.family.afi == "ipv6" else 4),
        next_hop(route.attributes),
        in_seconds(nanoseconds(now - route.since)),
        attributes_text(route.attributes),
    ]
    return "\t".join(cells) + "\t\n"


def routes_json(listed: Iterable[Listed], now: datetime) -> list[dict[str, Any]] | None:
    """A command line decodes NLRI and attributes: they are wire format in base64. null when there is none."""
    groups = groupby(in_order(listed), key=lambda each: (each.asn, each.neighbor, each.route.prefix))
    return [
        without_zeros(
            {
                "neighbor": neighbor,
                "paths": [_path_json(each.route, now) for each in paths],
                "prefix": prefix,
                "router-asn": asn,
            }
        )
        for (asn, neighbor, prefix), paths in groups
    ] or None


def _path_json(route: Route, now: datetime) -> dict[str, Any]:
    return without_zeros(
        {
            "age-nanoseconds": nanoseconds(now - route.since),
            "best": route.best,
            "family": {"afi": route.family.afi, "safi": route.family.safi},
            "nlri": {"base64": _base64(route.nlri)},
            "path-attributes": [{"base64": _base64(attribute)} for attribute in route.attributes],
            "stale": route.stale,
        }
    )


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()
