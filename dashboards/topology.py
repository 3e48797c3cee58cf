"""The lab as a drawing: routers above, nodes below, a line per BGP session, thick where the VIP's next hop goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from markupsafe import Markup

from bgplab.results.record import Topology, TopologyHost, TopologySession
from dashboards.svg import element, shortened
from dashboards.wording import percent

WIDTH = 1000
BOX_WIDTH, BOX_GAP, ROUTER_HEIGHT = 222, 24, 64
IN_A_ROW = 4
LINES_UP_TO = 8  # nodes; beyond, lines hide more than they show, and the table tells
Point = tuple[float, float]


def topology_svg(topology: Topology, shares: Mapping[str, float] | None = None) -> Markup:
    """The drawing. shares: each node's part of the last load test, 0-1, written at its line. Empty without hosts."""
    routers = [host for host in topology.hosts if host.role == "router"]
    nodes = [host for host in topology.hosts if host.role == "node"]
    if not routers or not nodes:
        return Markup("")
    shares = shares or {}
    node_height = 62 + 17 * min(4, max(len(host.pods) for host in nodes))
    top, gap = 24.0, 112.0 if len(nodes) <= LINES_UP_TO else 40.0
    router_at = dict(zip((host.name for host in routers), _row(len(routers), top), strict=True))
    node_at: dict[str, Point] = {}
    bands: list[Markup] = []
    for start in range(0, len(nodes), IN_A_ROW):
        row = nodes[start : start + IN_A_ROW]
        y = top + ROUTER_HEIGHT + gap + (start // IN_A_ROW) * (node_height + 64)
        node_at |= dict(zip((host.name for host in row), _row(len(row), y), strict=True))
        bands += _bands(row, node_at, topology.subnets, node_height)
    height = max(y for _, y in node_at.values()) + node_height + 44
    drawn = [element("title", _in_words(topology, shares)), *bands]
    if len(nodes) <= LINES_UP_TO:
        drawn += [
            _session(session, router_at[session.router], node_at[session.node], shares.get(session.node))
            for session in topology.sessions
            if session.router in router_at and session.node in node_at
        ]
    drawn += [_router(host, *router_at[host.name]) for host in routers]
    drawn += [_node(host, *node_at[host.name], node_height) for host in nodes]
    widest = max(len(routers), min(len(nodes), IN_A_ROW))
    used = widest * (BOX_WIDTH + BOX_GAP) + 24
    view = f"{(WIDTH - used) / 2:.0f} 0 {used} {height:.0f}"
    return element("svg", *drawn, viewBox=view, role="img", class_="topology", style=f"max-width:{used}px")


def _bands(
    row: Sequence[TopologyHost], at: Mapping[str, Point], subnets: Mapping[str, str], height: float
) -> list[Markup]:
    """A tinted ground under neighbours of one subnet, with its prefix."""
    drawn = []
    for subnet, members in groupby(row, key=lambda host: host.subnets[0] if host.subnets else ""):
        places = [at[host.name] for host in members]
        if not subnet:
            continue
        (left, y), right = places[0], places[-1][0]
        x, width = left - BOX_WIDTH / 2 - 10, right - left + BOX_WIDTH + 20
        drawn.append(element("rect", x=x, y=y - 10, width=width, height=height + 42, rx=16, class_="subnet"))
        words = shortened(subnets.get(subnet, subnet), 40)
        drawn.append(element("text", words, x=x + width / 2, y=y + height + 21, text_anchor="middle", class_="faint"))
    return drawn


def _row(count: int, y: float) -> list[Point]:
    """Centres of so many boxes side by side, and their upper edge."""
    whole = count * BOX_WIDTH + (count - 1) * BOX_GAP
    return [((WIDTH - whole) / 2 + BOX_WIDTH / 2 + place * (BOX_WIDTH + BOX_GAP), y) for place in range(count)]


def _in_words(topology: Topology, shares: Mapping[str, float]) -> str:
    told = [
        f"{session.router} to {session.node}: {session.state}"
        + (", next hop" if session.next_hop else "")
        + (f", {percent(shares[session.node])} of the last load test" if session.node in shares else "")
        for session in topology.sessions
    ]
    return "BGP sessions. " + "; ".join(told)


def _session(session: TopologySession, router: Point, node: Point, share: float | None) -> Markup:
    up = session.state == "Established"
    kind = "hop" if up and session.next_hop else "up" if up else "down"
    (x1, y1), (x2, y2) = (router[0], router[1] + ROUTER_HEIGHT), node
    # leave the router spread along its lower edge, so that lines do not start in one point
    x1 += max(-70.0, min(70.0, (x2 - x1) * 0.22))
    middle = (y1 + y2) / 2
    path = f"M{x1:.1f} {y1:.1f} C{x1:.1f} {middle:.1f} {x2:.1f} {middle:.1f} {x2:.1f} {y2:.1f}"
    parts = [element("path", d=path, class_=f"session {kind}", fill="none")]
    label = percent(share) if share is not None and up else "" if up else session.state
    if label:
        # the curve's point at 3/4 of its way
        x = 0.15625 * x1 + 0.84375 * x2
        y = 0.015625 * y1 + 0.5625 * middle + 0.421875 * y2
        parts.append(element("rect", x=x - 34, y=y - 11, width=68, height=22, rx=11, class_=f"pill {kind}"))
        parts.append(element("text", label, x=x, y=y + 4.5, text_anchor="middle", class_=f"pill-text {kind}"))
    return element("g", *parts)


def _router(host: TopologyHost, x: float, y: float) -> Markup:
    asn = f"AS {host.asn}" if host.asn else "router"
    left, right = x - BOX_WIDTH / 2 + 14, x + BOX_WIDTH / 2 - 14
    return element(
        "g",
        element("rect", x=x - BOX_WIDTH / 2, y=y, width=BOX_WIDTH, height=ROUTER_HEIGHT, rx=12, class_="box router"),
        element("text", shortened(host.name, 17), x=left, y=y + 27, class_="name"),
        element("text", asn, x=right, y=y + 27, text_anchor="end", class_="faint"),
        element("text", shortened(", ".join(host.addresses), 31), x=left, y=y + 47, class_="faint"),
    )


def _node(host: TopologyHost, x: float, y: float, height: float) -> Markup:
    left, right = x - BOX_WIDTH / 2 + 14, x + BOX_WIDTH / 2 - 14
    shown = host.pods if len(host.pods) <= 4 else host.pods[:3]
    lines = [shortened(pod, 27) for pod in shown]
    if len(host.pods) > 4:
        lines.append(f"and {len(host.pods) - 3} more")
    return element(
        "g",
        element("rect", x=x - BOX_WIDTH / 2, y=y, width=BOX_WIDTH, height=height, rx=12, class_="box node"),
        element("text", shortened(host.name, 17), x=left, y=y + 27, class_="name"),
        element("text", f"AS {host.asn}" if host.asn else "", x=right, y=y + 27, text_anchor="end", class_="faint"),
        element("text", shortened(", ".join(host.addresses), 31), x=left, y=y + 46, class_="faint"),
        *(
            element("text", f"• {line}", x=left, y=y + 66 + 17 * number, class_="pod")
            for number, line in enumerate(lines)
        ),
    )
