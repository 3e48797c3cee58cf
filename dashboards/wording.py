"""How figures, times and verdicts are written on pages; the same everywhere."""

from __future__ import annotations

import time

from bgplab.checks.finding import Verdict

SIGN = {Verdict.HOLDS: "✓", Verdict.FAILS: "✕", Verdict.INCONCLUSIVE: "?", Verdict.SKIPPED: "–"}
HEADLINE = {
    Verdict.HOLDS: "Everything holds",
    Verdict.FAILS: "Something does not hold",
    Verdict.INCONCLUSIVE: "Not everything could be told",
    Verdict.SKIPPED: "Skipped",
}
NARROW_SPACE = "\u202f"
FIGURE_NAMES = {
    "p_value": "p value",
    "effect_w": "effect w",
    "jain": "Jain's index",
    "needed_for_5%": "connections to see 5 %",
    "connections_per_second": "connections per second",
}


def figure(value: object) -> str:
    """A number as a person reads it: grouped thousands, four significant digits, powers of ten when tiny."""
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if value != value or value in (float("inf"), float("-inf")):
        return str(value)
    if isinstance(value, int) or (value == int(value) and 1 <= abs(value) < 1e15):
        return f"{int(value):,}".replace(",", NARROW_SPACE)
    if 0 < abs(value) < 1e-3:
        return f"{value:.1e}"
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}".replace(",", NARROW_SPACE)


def figure_name(name: str) -> str:
    """`p_value_nodes` → `p value, nodes`."""
    for kind in ("nodes", "endpoints"):
        if name.endswith(f"_{kind}") and name != f"connections_{kind}":
            return f"{figure_name(name.removesuffix(f'_{kind}'))}, {kind}"
    return FIGURE_NAMES.get(name, name.replace("_", " "))


def percent(share: float | None) -> str:
    return "–" if share is None else f"{share * 100:.1f}{NARROW_SPACE}%"


def latency(microseconds: float) -> str:
    """Three digits and the unit that suits."""
    for limit, unit in ((1e3, "µs"), (1e6, "ms")):
        if microseconds < limit * 0.9995:
            return f"{microseconds / (limit / 1e3):.3g}{NARROW_SPACE}{unit}"
    return f"{microseconds / 1e6:.3g}{NARROW_SPACE}s"


def seconds(value: float) -> str:
    if value >= 90:
        return f"{int(value // 60)}{NARROW_SPACE}min {value % 60:.0f}{NARROW_SPACE}s"
    if value >= 1:
        return f"{value:.1f}{NARROW_SPACE}s"
    return f"{value * 1000:.0f}{NARROW_SPACE}ms"


def moment(at_ns: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at_ns / 1e9))


def since(at_ns: int, start_ns: int) -> str:
    return f"{(at_ns - start_ns) / 1e9:+.3f}{NARROW_SPACE}s"


def signed_seconds(value: float) -> str:
    """A place on an axis around an event: `−2 s`, `0 s`, `+500 ms`."""
    sign = "\u2212" if value < 0 else "+" if value > 0 else ""
    size = abs(value)
    return f"{sign}{size * 1000:g}{NARROW_SPACE}ms" if 0 < size < 1 else f"{sign}{size:g}{NARROW_SPACE}s"
