"""What a page shows of many requests: counts, percentiles and bins. However many there were, the page stays small."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bgplab.results.record import ConvergenceResult, LoadTestResult

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

BINS_PER_DECADE = 10
PERCENTILES = (50, 90, 99, 99.9)
OUTCOME_BINS = 120


@dataclass(frozen=True, slots=True)
class Bin:
    """Connections with a latency in [low_us, high_us)."""

    low_us: float
    high_us: float
    count: int


@dataclass(frozen=True, slots=True)
class Latency:
    """Latencies of whole answers, microseconds. percentiles: by percent. bins: logarithmic, without gaps."""

    count: int
    percentiles: Mapping[float, float]
    longest_us: float
    bins: tuple[Bin, ...]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Answered and failed connections over time; start_ns and width_ns say where each pair of counts lies."""

    start_ns: int
    width_ns: int
    answered: tuple[int, ...]
    failed: tuple[int, ...]


def _failed(requests: Mapping[str, Sequence[Any]]) -> NDArray[numpy.bool_]:
    import pandas

    # a category or string column, or a plain list: anything but "" is an error class
    return (pandas.Series(requests["error"], dtype="string").fillna("") != "").to_numpy(dtype=bool)


def latency(test: LoadTestResult, column: str = "total_us") -> Latency | None:
    """Latencies of the answered connections; None when none was answered."""
    import numpy
    import pandas

    if not len(test.requests.get(column, ())):
        return None
    values = pandas.to_numeric(pandas.Series(test.requests[column])).to_numpy(dtype=float, na_value=numpy.nan)
    values = values[~_failed(test.requests) & ~numpy.isnan(values)]
    if not len(values):
        return None
    found = numpy.percentile(values, PERCENTILES)
    return Latency(
        count=len(values),
        percentiles=dict(zip(PERCENTILES, map(float, found), strict=True)),
        longest_us=float(values.max()),
        bins=_bins(values),
    )


def _bins(values: NDArray[numpy.float64]) -> tuple[Bin, ...]:
    import numpy

    floored = numpy.maximum(values, 1.0)
    first = math.floor(math.log10(floored.min()) * BINS_PER_DECADE)
    last = max(first, math.floor(math.log10(floored.max()) * BINS_PER_DECADE))
    edges = 10 ** (numpy.arange(first, last + 2) / BINS_PER_DECADE)
    edges[-1] = max(edges[-1], floored.max() + 1)
    counts, _ = numpy.histogram(floored, edges)
    return tuple(
        Bin(float(low), float(high), int(count)) for low, high, count in zip(edges, edges[1:], counts, strict=False)
    )


def errors(test: LoadTestResult | ConvergenceResult) -> dict[str, int]:
    """Failed connections by class, most frequent first."""
    import pandas

    if not len(test.requests.get("error", ())):
        return {}
    counts = pandas.Series(test.requests["error"], dtype="string").fillna("").value_counts()
    return {str(name): int(count) for name, count in counts.items() if name and count}


def outcomes(test: LoadTestResult | ConvergenceResult) -> Outcomes | None:
    """Answered and failed over the test's own time; None without requests.

    A steady probe's stretches are whole multiples of its interval and begin between two connections; otherwise counts
    would go up and down by themselves.
    """
    import numpy

    if not len(test.requests.get("start_ns", ())):
        return None
    starts = numpy.asarray(test.requests["start_ns"], dtype="int64")
    failed, begin = _failed(test.requests), int(starts.min())
    width = max(1, -(-(int(starts.max()) - begin + 1) // OUTCOME_BINS))
    if isinstance(test, ConvergenceResult) and (interval := round(test.interval_seconds * 1e9)) > 0:
        width = interval * -(-width // interval)
        begin -= interval // 2
    places = (starts - begin) // width
    count = int(places.max()) + 1
    return Outcomes(
        begin,
        width,
        tuple(map(int, numpy.bincount(places[~failed], minlength=count))),
        tuple(map(int, numpy.bincount(places[failed], minlength=count))),
    )
