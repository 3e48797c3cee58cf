"""One run as one HTML page that needs nothing else: no network, no script, no file beside it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bgplab.checks.finding import Verdict
from bgplab.results.directory import plain
from bgplab.results.history import Difference
from bgplab.results.record import CheckResult, LoadTestResult, Run, TimelineEvent
from dashboards import aggregate, wording
from dashboards.events import shown_event
from dashboards.mesh import mesh_panels
from dashboards.topology import topology_svg

if TYPE_CHECKING:
    import jinja2

TEMPLATES = Path(__file__).parent / "templates"
LONGEST_EVIDENCE = 20_000  # characters per check
MOST_EVENTS = 500
FAILURE_WORDS = ("fail", "down", "lost", "withdraw", "removed", "reset", "timeout")


@dataclass(frozen=True, slots=True)
class ShownCheck:
    """A check as the page shows it; those that do not hold are open."""

    result: CheckResult
    anchor: str
    evidence: str
    cut: bool

    @property
    def open(self) -> bool:
        return self.result.verdict in (Verdict.FAILS, Verdict.INCONCLUSIVE)


@dataclass(frozen=True, slots=True)
class Strip:
    """Outcomes of one load test on the timeline; left and width in per cent of the axis."""

    left: float
    width: float
    bins: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Lane:
    """One source's events: (left in per cent, whether bad, words)."""

    name: str
    dots: tuple[tuple[float, bool, str], ...] = ()
    strip: Strip | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    seconds: float
    lanes: tuple[Lane, ...]
    ticks: tuple[tuple[float, str], ...]


def environment() -> jinja2.Environment:
    """Templates with escaping always on: everything that comes from a lab is text from outside."""
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "sign": wording.SIGN.__getitem__,
        "headline": wording.HEADLINE.__getitem__,
        "figure": wording.figure,
        "figure_name": wording.figure_name,
        "percent": wording.percent,
        "latency": wording.latency,
        "seconds": wording.seconds,
        "moment": wording.moment,
        "since": wording.since,
        "told": told,
    }
    return made


def stylesheet() -> str:
    """The page's CSS, safe inside <style>: it is ours, and holds no `</`."""
    import markupsafe

    return markupsafe.Markup((TEMPLATES / "report.css").read_text())


def render_report(run: Run, changes: Sequence[Difference] = ()) -> str:
    """The page. changes: verdicts that differ from the run before, shown first."""
    run = run.settled()
    last, shares = _last_spread(run)
    latencies = {test.name: aggregate.latency(test) for test in run.load_tests}
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            run=run,
            css=stylesheet(),
            changes=changes,
            counts=[(verdict, len(found)) for verdict in Verdict if (found := run.with_verdict(verdict))],
            connections=sum(len(test.requests.get("sequence", ())) for test in run.under_traffic),
            explanations=tuple(dict.fromkeys(line for test in run.load_tests for line in test.explanation)),
            happenings=[shown_event(result) for result in run.convergence],
            topology=topology_svg(run.topology, shares),
            mesh=mesh_panels(run),
            shared_by=last.title if last else "",
            node_shares=shares,
            pods={host.name: host.pods for host in run.topology.hosts},
            groups=grouped(run.load_tests),
            failures={test.name: aggregate.errors(test) for test in run.load_tests},
            latencies=latencies,
            ticks={name: decade_ticks(seen) for name, seen in latencies.items() if seen},
            timeline=timeline(run),
            events=sorted(run.timeline, key=lambda event: event.at_ns)[:MOST_EVENTS],
            checks=[_shown(number, check) for number, check in enumerate(run.checks)],
            machine=asdict(run.machine) if run.machine else {},
        )
    )


def told(value: Any) -> str:
    """A parameter in words: numbers grouped, structures as JSON."""
    if isinstance(value, dict | list | tuple):
        return json.dumps(plain(value), ensure_ascii=False)
    return str(value) if isinstance(value, str | bool) else wording.figure(plain(value))


def grouped(tests: Sequence[LoadTestResult]) -> list[list[LoadTestResult]]:
    """Tests side by side that are before and after of each other: neighbours of the same group."""
    numbered = enumerate(tests)
    return [[test for _, test in found] for _, found in groupby(numbered, key=lambda each: each[1].group or each[0])]


def _last_spread(run: Run) -> tuple[LoadTestResult | None, Mapping[str, float]]:
    """The last load test that has shares per node, and these."""
    for test in reversed(run.load_tests):
        nodes = test.of_kind("node")
        total = sum(share.observed for share in nodes)
        if total:
            return test, {share.name: share.observed / total for share in nodes}
    return None, {}


def _shown(number: int, check: CheckResult) -> ShownCheck:
    text = "" if check.evidence is None else _evidence_text(check.evidence)
    return ShownCheck(check, f"check-{number}", text[:LONGEST_EVIDENCE], len(text) > LONGEST_EVIDENCE)


def _evidence_text(evidence: Any) -> str:
    return evidence if isinstance(evidence, str) else json.dumps(plain(evidence), indent=2, ensure_ascii=False)


def decade_ticks(seen: aggregate.Latency) -> list[tuple[float, str]]:
    """Whole powers of ten under a logarithmic histogram, (left in per cent, words); its ends when there are too few."""
    low, high = math.log10(seen.bins[0].low_us), math.log10(seen.bins[-1].high_us)
    decades = range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)
    inner = [(100 * (decade - low) / (high - low), wording.latency(10.0**decade)) for decade in decades]
    inner = [(left, label) for left, label in inner if 12 < left < 88]
    ends = ((0.0, wording.latency(seen.bins[0].low_us)), (100.0, wording.latency(seen.bins[-1].high_us)))
    return [(round(left, 2), label) for left, label in (ends[0], *inner, ends[1])]


def timeline(run: Run) -> Timeline | None:
    """Events by source and load tests' outcomes on the run's time axis; None without events."""
    if not run.timeline:
        return None
    outcomes = {test.name: aggregate.outcomes(test) for test in run.under_traffic}
    ends = [event.at_ns for event in run.timeline]
    ends += [seen.start_ns + seen.width_ns * len(seen.answered) for seen in outcomes.values() if seen]
    start = min(run.started_ns, *ends)
    length = max(1, max(ends) - start)

    def left(at_ns: int) -> float:
        return round(100 * (at_ns - start) / length, 3)

    lanes = [
        Lane(source, tuple((left(event.at_ns), _is_bad(event), _label(event, run)) for event in events))
        for source, events in _by_source(run.timeline).items()
    ]
    for name, seen in outcomes.items():
        if seen:
            width = 100 * seen.width_ns * len(seen.answered) / length
            bins = tuple(zip(seen.answered, seen.failed, strict=True))
            lanes.append(Lane(name, strip=Strip(left(seen.start_ns), round(max(0.2, width), 3), bins)))
    ticks = tuple((float(part), wording.seconds(length / 1e9 * part / 100)) for part in (0, 25, 50, 75, 100))
    return Timeline(length / 1e9, tuple(lanes), ticks)


def _by_source(events: Sequence[TimelineEvent]) -> dict[str, list[TimelineEvent]]:
    """At most MOST_EVENTS in all, in order of time."""
    lanes: dict[str, list[TimelineEvent]] = {}
    for event in sorted(events, key=lambda each: each.at_ns)[:MOST_EVENTS]:
        lanes.setdefault(event.source, []).append(event)
    return lanes


def _label(event: TimelineEvent, run: Run) -> str:
    words = " ".join(part for part in (event.kind, event.subject, event.detail) if part)
    return f"{wording.since(event.at_ns, run.started_ns)} {words}"


def _is_bad(event: TimelineEvent) -> bool:
    return any(word in event.kind for word in FAILURE_WORDS)
