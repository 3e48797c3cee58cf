"""The distribution as a plain SVG of our own: needs no browser, and is what stands in when kaleido has none."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from bgplab.results.record import LoadTestResult, Share
from dashboards.svg import element, shortened
from dashboards.wording import figure, percent

WIDTH, LEFT, BAR, ROW = 760, 204, 410, 30
BLUE, VIOLET, RED, INK, FAINT, TRACK = "#2f6fdb", "#7a5cc9", "#c0362c", "#1c1f23", "#5c6670", "#eef1f4"


def distribution_svg(tests: Sequence[LoadTestResult]) -> Markup:
    """All tests, one below the other: per node and endpoint a bar, its interval, and a mark at the expected share."""
    y, drawn = 16.0, []
    for test in tests:
        if not test.shares:
            continue
        y += 22
        drawn.append(element("text", shortened(test.title, 90), x=16, y=y, font_size=16, font_weight=600, fill=INK))
        for kind, colour in (("node", BLUE), ("endpoint", VIOLET)):
            shares = test.of_kind(kind)  # type: ignore[arg-type]
            total = sum(share.observed for share in shares)
            y += 20
            for share in shares:
                drawn.append(_bar(share, total, y, colour if share.may_answer else RED))
                y += ROW
        y += 12
    style = {"font_family": "system-ui, 'DejaVu Sans', sans-serif", "font_size": 13}
    return element(
        "svg",
        element("rect", width=WIDTH, height=y, fill="#ffffff"),
        *drawn,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH} {y:.0f}",
        width=WIDTH,
        **style,
    )


def _bar(share: Share, total: int, y: float, colour: str) -> Markup:
    part = share.observed / total if total else 0.0
    parts = [
        element("text", shortened(share.name, 26), x=LEFT - 10, y=y + 14, text_anchor="end", fill=INK),
        element("rect", x=LEFT, y=y, width=BAR, height=20, rx=4, fill=TRACK),
        element("rect", x=LEFT, y=y, width=BAR * part, height=20, rx=4, fill=colour),
        element("text", f"{figure(share.observed)} · {percent(part)}", x=LEFT + BAR + 10, y=y + 14, fill=FAINT),
    ]
    if share.low is not None and share.high is not None:
        low, high = LEFT + BAR * share.low, LEFT + BAR * share.high
        parts.append(element("line", x1=low, x2=high, y1=y + 10, y2=y + 10, stroke=INK, stroke_width=1.5))
    if share.expected is not None:
        x = LEFT + BAR * share.expected
        parts.append(element("line", x1=x, x2=x, y1=y - 3, y2=y + 23, stroke=INK, stroke_width=2))
    return element("g", *parts)
