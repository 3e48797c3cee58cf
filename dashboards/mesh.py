"""The mesh on the report: clusters and their connections as a drawing, who answered whom, and the truth table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from markupsafe import Markup

from bgplab.results.record import ConvergenceResult, LoadTestResult, MeshLink, Run, Topology, TopologyHost, TruthCell
from dashboards.svg import element, shortened

BOX, GAP, PAD, NODE_HEIGHT, HEAD = 300, 150, 16, 64, 46


@dataclass(frozen=True, slots=True)
class HeatRow:
    """One client in one state. parts: each node's share of the answers, 0–1, in the order of the columns."""

    state: str
    client: str
    requests: int
    parts: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class TruthRow:
    """One setting. cells: what each cluster's client saw, in the clusters' order."""

    affinity: str
    here: str
    elsewhere: str
    shared: str
    cells: tuple[TruthShown, ...]


@dataclass(frozen=True, slots=True)
class TruthShown:
    """Words of a cell. tone: the verdict's class on the page."""

    words: str
    tone: str
    detail: str


@dataclass(frozen=True, slots=True)
class MeshPanels:
    """clusters: in order. columns: the nodes by cluster. wrong: how many cells of the truth table are not as due."""

    picture: Markup
    links: tuple[MeshLink, ...]
    clusters: tuple[str, ...]
    columns: tuple[TopologyHost, ...]
    heat: tuple[HeatRow, ...]
    table: tuple[TruthRow, ...]
    wrong: int


def mesh_panels(run: Run) -> MeshPanels | None:
    """None for a run that is about no mesh."""
    columns = tuple(host for host in run.topology.hosts if host.cluster)
    if not columns:
        return None
    clusters = tuple(dict.fromkeys(host.cluster for host in columns))
    return MeshPanels(
        mesh_svg(run.topology),
        run.topology.links,
        clusters,
        columns,
        tuple(_heat(run, [host.name for host in columns])),
        tuple(_truth_rows(run.truth_table, clusters)),
        sum(bool(cell.wrong) for cell in run.truth_table),
    )


# Who answered whom ---------------------------------------------------------------------------------------------------


def _heat(run: Run, nodes: Sequence[str]) -> list[HeatRow]:
    """Load tests, and events once they had settled, in the order of their checks."""
    found = [(test.check_id, _of_test(test, nodes)) for test in run.load_tests]
    found += [(event.check_id, _of_event(event, nodes)) for event in run.convergence]
    return [row for _, row in sorted(found, key=lambda each: each[0])]


def _of_test(test: LoadTestResult, nodes: Sequence[str]) -> HeatRow:
    return _row(
        f"{test.check_id}: {test.policy}", test.name.rpartition(" from ")[2], test.requests.get("node", ()), nodes
    )


def _of_event(event: ConvergenceResult, nodes: Sequence[str]) -> HeatRow:
    settled = event.event_at_ns + float(event.figures.get("settled_seconds") or 0) * 1e9
    rows = zip(event.requests["start_ns"], event.requests.get("node", ()), strict=False)
    answered = [node for start, node in rows if start >= settled]
    return _row(f"{event.check_id}: {event.event}", event.event.partition(":")[0], answered, nodes)


def _row(state: str, client: str, answered: Sequence[str | None], nodes: Sequence[str]) -> HeatRow:
    counts = Counter(node for node in answered if node)
    total = counts.total()
    return HeatRow(state, client, total, tuple(counts[node] / total if total else 0.0 for node in nodes))


# The truth table -----------------------------------------------------------------------------------------------------


def _truth_rows(cells: Sequence[TruthCell], clusters: Sequence[str]) -> list[TruthRow]:
    """A row per setting as a client sees it, so that all clusters' cells stand side by side."""
    by_row: dict[tuple[str, bool, bool, bool], dict[str, list[TruthCell]]] = {}
    for cell in cells:
        key = (cell.affinity, cell.local, cell.remote, cell.shared)
        by_row.setdefault(key, {}).setdefault(cell.client, []).append(cell)
    settings = product(("absent", "none", "local", "remote"), (True, False), (True, False), (True, False))
    return [
        TruthRow(
            affinity,
            "ready" if local else "none",
            "ready" if remote else "none",
            "yes" if shared else "no",
            tuple(_shown(by_row[affinity, local, remote, shared].get(name, ()), name) for name in clusters),
        )
        for affinity, local, remote, shared in settings
        if (affinity, local, remote, shared) in by_row
    ]


def _shown(cells: Sequence[TruthCell], client: str) -> TruthShown:
    """With three clusters and more a setting has several cells per client: the worst one is shown."""
    if not cells:
        return TruthShown("not made", "skipped", "")
    cell = next((each for each in cells if each.wrong), cells[0])
    words = _who(cell.answered, client) or ("fails at once" if set(cell.errors) == {"unreachable"} else "nobody")
    tone = "fails" if cell.wrong else "inconclusive" if cell.known else "holds"
    return TruthShown(words, tone, cell.wrong or cell.known)


def _who(answered: Mapping[str, int], client: str) -> str:
    """`own and east`."""
    names = sorted((name for name, count in answered.items() if count), key=lambda name: (name != client, name))
    return " and ".join("own" if name == client else name for name in names)


# The drawing ---------------------------------------------------------------------------------------------------------


def mesh_svg(topology: Topology) -> Markup:
    """A box per cluster with its nodes and pods, side by side; a line per pair, with how many agents are ready."""
    groups: dict[str, list[TopologyHost]] = {}
    for host in topology.hosts:
        groups.setdefault(host.cluster, []).append(host)
    tallest = max(len(hosts) for hosts in groups.values())
    height = HEAD + tallest * (NODE_HEIGHT + 12) + PAD
    left = {name: 12 + place * (BOX + GAP) for place, name in enumerate(groups)}
    width = 24 + len(groups) * (BOX + GAP) - GAP
    drawn = [element("title", _in_words(topology))]
    drawn += [_box(name, hosts, left[name], height) for name, hosts in groups.items()]
    neighbours = list(left)
    for place, (one, other) in enumerate(
        (one, other) for at, one in enumerate(neighbours) for other in neighbours[at + 1 :]
    ):
        drawn.append(_link(topology, one, other, left, height, place))
    depth = height + 24 + (24 * len(topology.links) if len(groups) > 2 else 0)
    return element(
        "svg", *drawn, viewBox=f"0 0 {width} {depth}", role="img", class_="topology", style=f"max-width:{width}px"
    )


def _box(name: str, hosts: Sequence[TopologyHost], left: float, height: float) -> Markup:
    drawn = [
        element("rect", x=left, y=12, width=BOX, height=height, rx=14, style="fill:var(--soft)"),
        element("text", name, x=left + PAD, y=40, font_weight=650, font_size=17, style="fill:var(--ink)"),
    ]
    for place, host in enumerate(hosts):
        y = 12 + HEAD + place * (NODE_HEIGHT + 12)
        lines = (
            (host.name, 20, "var(--ink)", 600),
            (f"{', '.join(host.addresses)} · pods {', '.join(host.prefixes)}", 38, "var(--muted)", 400),
            (", ".join(shortened(pod, 32) for pod in host.pods) or "no pod", 55, "var(--muted)", 400),
        )
        drawn.append(
            element(
                "rect",
                x=left + PAD,
                y=y,
                width=BOX - 2 * PAD,
                height=NODE_HEIGHT,
                rx=8,
                style="fill:var(--surface);stroke:var(--line)",
            )
        )
        drawn += [
            element(
                "text", text, x=left + 2 * PAD, y=y + down, font_size=12.5, font_weight=weight, style=f"fill:{colour}"
            )
            for text, down, colour, weight in lines
        ]
    return element("g", *drawn)


def _link(topology: Topology, one: str, other: str, left: Mapping[str, float], height: float, place: int) -> Markup:
    """Between neighbours across the gap; between others below the boxes."""
    ends = [link for link in topology.links if {link.cluster, link.other} == {one, other}]
    fine = bool(ends) and len(ends) == 2 and all(link.agents and link.ready == link.agents for link in ends)
    colour = "var(--holds)" if fine else "var(--fails)"
    start, end = left[one] + BOX, left[other]
    y = 12 + height / 2
    if end - start > GAP:
        start, end, y = left[one] + BOX / 2, left[other] + BOX / 2, height + 20 + 12 * place
    told = [f"{link.cluster} → {link.other}: {link.ready}/{link.agents}" for link in ends] or ["not connected"]
    style = f"stroke:{colour};stroke-width:3" + ("" if fine else ";stroke-dasharray:6 5")
    drawn = [element("line", x1=start, x2=end, y1=y, y2=y, style=style)]
    middle = (start + end) / 2
    drawn += [
        element(
            "text", text, x=middle, y=y - 10 + 28 * at, text_anchor="middle", font_size=12.5, style="fill:var(--ink)"
        )
        for at, text in enumerate(told)
    ]
    return element("g", *drawn)


def _in_words(topology: Topology) -> str:
    links = ", ".join(
        f"{link.cluster} to {link.other}: {link.ready} of {link.agents} agents" for link in topology.links
    )
    return f"Clusters of the mesh and their connections. {links}."
