"""Figures of a run with plotly: for notebooks, Prefect's image artifacts and the README.

The same data drawn without a browser is in drawing.py; image() takes it when Chromium, which kaleido needs, is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bgplab.results.record import ConvergenceResult, LoadTestResult, Share
from dashboards import aggregate
from dashboards.drawing import distribution_svg
from dashboards.svg import shortened

if TYPE_CHECKING:
    import plotly.graph_objects as go

BLUE, VIOLET, RED, INK, GRID = "#2f6fdb", "#7a5cc9", "#c0362c", "#1c1f23", "#e3e6ea"
GREEN, FAINT = "#4d9a72", "#5c6670"
SOURCES = {"step": "#1c1f23", "frr": "#2f6fdb", "kernel": "#7a5cc9", "agent": "#b86a00", "prober": "#0f8a8a"}
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"


@dataclass(frozen=True, slots=True)
class Image:
    """A picture. media_type: image/png or image/svg+xml. note: why it is not what was asked for, if so."""

    content: bytes
    media_type: str
    note: str = ""


def distribution_figure(tests: Sequence[LoadTestResult]) -> go.Figure:
    """One panel per test and kind: observed share with its interval as bars, the expected share as a line across."""
    from plotly.subplots import make_subplots

    tests = [test for test in tests if test.shares]
    titles = [f"{_plain(test.title)}: {kind}s" for test in tests for kind in ("node", "endpoint")]
    rows = max(1, len(tests))
    figure = make_subplots(rows, 2, subplot_titles=titles, horizontal_spacing=0.24, vertical_spacing=0.32 / rows)
    for row, test in enumerate(tests, 1):
        for column, kind in enumerate(("node", "endpoint"), 1):
            _add_shares(figure, test.of_kind(kind), row, column)  # type: ignore[arg-type]
    figure.update_xaxes(tickformat=".0%", range=[0, 1.02], gridcolor=GRID, zerolinecolor=GRID)
    figure.update_yaxes(autorange="reversed", automargin=True)
    return figure.update_layout(**_layout(120 + 190 * rows))


def _add_shares(figure: go.Figure, shares: Sequence[Share], row: int, column: int) -> None:
    import plotly.graph_objects as go

    total = sum(share.observed for share in shares) or 1
    parts = [share.observed / total for share in shares]
    names = [_plain(shortened(share.name, 26)) for share in shares]
    bars = go.Bar(
        x=parts,
        y=names,
        orientation="h",
        marker_color=[(BLUE if column == 1 else VIOLET) if share.may_answer else RED for share in shares],
        error_x={
            "type": "data",
            "array": [(share.high or part) - part for share, part in zip(shares, parts, strict=True)],
            "arrayminus": [
                part - (part if share.low is None else share.low) for share, part in zip(shares, parts, strict=True)
            ],
            "color": INK,
            "thickness": 1.2,
        },
        text=[f"{share.observed:,} ({part:.1%})" for share, part in zip(shares, parts, strict=True)],
        textposition="inside",
        insidetextanchor="start",
        showlegend=False,
    )
    figure.add_trace(bars, row, column)
    expected = [(share.expected, name) for share, name in zip(shares, names, strict=True) if share.expected is not None]
    marks = go.Scatter(
        x=[share for share, _ in expected],
        y=[name for _, name in expected],
        mode="markers",
        marker={"symbol": "line-ns-open", "size": 30, "color": INK, "line": {"width": 2}},
        name="expected",
        legendgroup="expected",
        showlegend=bool(expected) and not any(trace.name == "expected" and trace.showlegend for trace in figure.data),
    )
    figure.add_trace(marks, row, column)


def latency_figure(tests: Sequence[LoadTestResult]) -> go.Figure:
    """Latency of whole answers: share of connections at most so slow, one line per test, logarithmic time."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for test in tests:
        seen = aggregate.latency(test)
        if seen is None:
            continue
        done, shares = 0, []
        for each in seen.bins:
            done += each.count
            shares.append(done / seen.count)
        slower = [each.high_us / 1000 for each in seen.bins]
        figure.add_trace(go.Scatter(x=slower, y=shares, mode="lines", line_shape="hv", name=_plain(test.name)))
    figure.update_xaxes(type="log", title="milliseconds from start to whole answer", gridcolor=GRID)
    figure.update_yaxes(tickformat=".0%", title="connections at most so slow", gridcolor=GRID, range=[0, 1.02])
    return figure.update_layout(**_layout(420))


def convergence_figure(results: Sequence[ConvergenceResult]) -> go.Figure:
    """One panel per event: answered and failed connections per stretch of time, and marks of what was seen, by source.

    The time axis is seconds after the event.
    """
    from plotly.subplots import make_subplots

    rows = max(1, len(results))
    titles = [_plain(result.title) for result in results]
    figure = make_subplots(rows, 1, subplot_titles=titles, vertical_spacing=0.3 / rows)
    for row, result in enumerate(results, 1):
        _add_event(figure, result, row)
    figure.update_xaxes(title="seconds after the event", gridcolor=GRID)
    figure.update_yaxes(title="connections", gridcolor=GRID, rangemode="tozero")
    return figure.update_layout(**{**_layout(110 + 260 * rows), "barmode": "stack", "bargap": 0})


def _add_event(figure: go.Figure, result: ConvergenceResult, row: int) -> None:
    import plotly.graph_objects as go

    seen = aggregate.outcomes(result)
    if seen is not None:
        middles = [
            (seen.start_ns - result.event_at_ns + (place + 0.5) * seen.width_ns) / 1e9
            for place in range(len(seen.answered))
        ]
        for name, counts, colour in (("answered", seen.answered, GREEN), ("failed", seen.failed, RED)):
            bars = go.Bar(x=middles, y=counts, width=seen.width_ns / 1e9, marker_color=colour, marker_line_width=0)
            figure.add_trace(bars.update(name=name, legendgroup=name, showlegend=row == 1), row, 1)
    highest = max(map(sum, zip(seen.answered, seen.failed, strict=True)), default=1) if seen else 1
    for place, source in enumerate(dict.fromkeys(mark.source for mark in result.marks)):
        height = highest * (1.1 + 0.12 * place)
        marks = [mark for mark in result.marks if mark.source == source]
        dots = go.Scatter(
            x=[(mark.at_ns - result.event_at_ns) / 1e9 for mark in marks],
            y=[height] * len(marks),
            mode="markers",
            marker={"size": 10, "symbol": "triangle-down", "color": SOURCES.get(source, FAINT)},
            text=[_plain(" ".join(filter(None, (mark.kind, mark.subject, mark.detail)))) for mark in marks],
            name=_plain(f"seen by {source}"),
            legendgroup=source,
            showlegend=not any(trace.legendgroup == source for trace in figure.data),
        )
        figure.add_trace(dots, row, 1)
    figure.add_vline(x=0, line_dash="dash", line_color=INK, line_width=1.2, row=row, col=1)


def _layout(height: int) -> dict[str, object]:
    return {
        "template": "plotly_white",
        "height": height,
        "width": 1000,
        "font": {"family": FONT, "size": 13, "color": INK},
        "margin": {"l": 110, "r": 30, "t": 84, "b": 40},
        "legend": {"orientation": "h", "x": 1, "xanchor": "right", "y": 1.1, "yanchor": "bottom"},
        "bargap": 0.35,
    }


def _plain(text: str) -> str:
    """plotly reads a subset of HTML in labels; names from outside are no HTML."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def distribution_image(tests: Sequence[LoadTestResult], format: Literal["png", "svg"] = "png") -> Image:
    """The distribution as a picture: by kaleido, or as our own SVG where that cannot run, and then its note says so."""
    try:
        return _image(distribution_figure(tests), format)
    except Exception as error:  # kaleido's own, Chromium's or asyncio's: none of them is a reason to fail a run
        why = f"kaleido could not run Chromium ({type(error).__name__}); the package chromium provides it"
        return Image(distribution_svg(tests).encode(), "image/svg+xml", f"drawn without plotly: {why}")


def convergence_image(results: Sequence[ConvergenceResult], format: Literal["png", "svg"] = "png") -> Image:
    """Events under traffic as a picture, by kaleido. Raises what kaleido raises where it finds no Chromium."""
    return _image(convergence_figure(results), format)


def _image(figure: go.Figure, format: Literal["png", "svg"]) -> Image:
    content = figure.to_image(format=format, scale=2 if format == "png" else 1)
    return Image(content, "image/png" if format == "png" else "image/svg+xml")
