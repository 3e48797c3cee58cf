"""What a run leaves behind, as plain frozen data: check results, steps, load tests, convergence, timeline, topology.

Whoever produces results (judge, tasks, traffic) fills these; whoever shows them (dashboards, junit, markdown) reads
only these. They know no lab, no seam and no Prefect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

from bgplab.checks.finding import Finding, Verdict


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check, judged.

    id: the guide's (`G22`). stage: the step's id in which it was judged. superseded_by: the step that made a skipped
    check pointless on a standing lab (`G15` for G06). seconds: from the first look to the verdict, waiting included.
    figures: named numbers, units in the names. evidence: JSON-able, what was seen, raw. commands: what a person would
    type to see the same.
    """

    id: str
    title: str
    verdict: Verdict
    reason: str
    figures: Mapping[str, float | int | str | None] = field(default_factory=dict)
    evidence: Any = None
    seconds: float = 0.0
    stage: str = ""
    superseded_by: str | None = None
    commands: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        id: str,
        title: str,
        finding: Finding,
        *,
        seconds: float = 0.0,
        stage: str = "",
        superseded_by: str | None = None,
        commands: Sequence[str] = (),
    ) -> CheckResult:
        """A finding with its place in the run."""
        return cls(
            id,
            title,
            finding.verdict,
            finding.reason,
            finding.figures,
            finding.evidence,
            seconds,
            stage,
            superseded_by,
            tuple(commands),
        )


@dataclass(frozen=True, slots=True)
class StepResult:
    """One step of the guide as it was done. outcome: `changed`, `already` or `failed`; detail says what."""

    id: str
    title: str
    outcome: Literal["changed", "already", "failed"]
    detail: str = ""
    seconds: float = 0.0
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Share:
    """One node's or endpoint's part in a load test.

    observed: connections it got. expected: its share, 0–1; None when the model cannot say. may_answer: False for one
    that must get nothing. low, high: Wilson interval of the observed share, 0–1; None without connections.
    """

    kind: Literal["node", "endpoint"]
    name: str
    observed: int
    expected: float | None
    may_answer: bool = True
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class LoadTestResult:
    """One load test: what was sent, what should have come, what came.

    name: unique in the run (`G29`, `G29 guide's 100`). group: tests that are shown before → after of each other share
    it. policy: externalTrafficPolicy. hash_policy: the router's fib_multipath_hash_policy. target: URL. requests: the
    prober's columns (see frames.REQUESTS), equally long. shares: nodes first, then endpoints.
    statistics: named figures of the fit. explanation: one line each, what a figure means here. unsaid: what the model
    cannot tell, a sentence each.
    """

    name: str
    title: str
    policy: str
    hash_policy: int | None
    target: str
    client: str
    requests: Mapping[str, Sequence[Any]]
    shares: tuple[Share, ...] = ()
    verdict: Verdict = Verdict.INCONCLUSIVE
    reason: str = ""
    statistics: Mapping[str, float | int | str | None] = field(default_factory=dict)
    explanation: tuple[str, ...] = ()
    unsaid: tuple[str, ...] = ()
    check_id: str = ""
    group: str = ""
    command: str = ""

    def of_kind(self, kind: Literal["node", "endpoint"]) -> tuple[Share, ...]:
        return tuple(share for share in self.shares if share.kind == kind)


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """One moment on the run's time axis.

    at_ns: wall clock, nanoseconds since the epoch. source: who saw it (`frr`, `kernel`, `agent`, `prober`, `step`).
    kind: a short class of event (`session_up`, `route_added`, `request_failed`, `step_started`).
    """

    at_ns: int
    source: str
    kind: str
    subject: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ConvergenceResult:
    """One event under steady traffic: what was expected of it, what the traffic lost, and what was seen around it.

    name: unique in the run, among load tests too (`link down`). event: what was done, to whom (`k8s-w1: eth1 down`).
    expectation: a sentence, what had to come of it. interval_seconds: between two connections of the steady probe, and
    so the resolution of all its figures. requests: the prober's columns (see frames.REQUESTS), equally long, from some
    time before the event until some time after the recovery.

    event_at_ns, first_failure_at_ns, last_failure_at_ns: wall clock, nanoseconds since the epoch; None when nothing
    failed. A failure counts at its connection's start. sent, lost: connections. outage_seconds: first failure to the
    first success after the last one, 0 when nothing failed. recovery_seconds: event to that success; None when nothing
    failed or it never came. marks: what BGP daemons, kernels and steps did meanwhile, in order of time.
    figures: further named numbers, units in the names. check_id: the check that judges it, if any.
    """

    name: str
    title: str
    event: str
    expectation: str
    verdict: Verdict
    reason: str
    interval_seconds: float
    requests: Mapping[str, Sequence[Any]]
    event_at_ns: int
    first_failure_at_ns: int | None
    last_failure_at_ns: int | None
    sent: int
    lost: int
    outage_seconds: float
    recovery_seconds: float | None
    marks: tuple[TimelineEvent, ...] = ()
    figures: Mapping[str, float | int | str | None] = field(default_factory=dict)
    check_id: str = ""


@dataclass(frozen=True, slots=True)
class TopologyHost:
    """A router or node as drawn. subnets: names of the subnets it is in, parallel to addresses.

    cluster: a node's, where there are several; else empty.
    """

    name: str
    role: Literal["router", "node"]
    asn: int | None = None
    addresses: tuple[str, ...] = ()
    subnets: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    pods: tuple[str, ...] = ()
    cluster: str = ""


@dataclass(frozen=True, slots=True)
class TopologySession:
    """A BGP session between a router and a node. next_hop: the node is in the router's kernel route to the VIP."""

    router: str
    node: str
    state: str
    next_hop: bool = False


@dataclass(frozen=True, slots=True)
class MeshLink:
    """One cluster's agents as clients of another cluster: how many of them are ready; what the others say."""

    cluster: str
    other: str
    ready: int
    agents: int
    said: str = ""


@dataclass(frozen=True, slots=True)
class Topology:
    """The lab as it stood at the end of the run. subnets: name → CIDR. vip: the address that was load tested."""

    hosts: tuple[TopologyHost, ...] = ()
    sessions: tuple[TopologySession, ...] = ()
    subnets: Mapping[str, str] = field(default_factory=dict)
    vip: str = ""
    links: tuple[MeshLink, ...] = ()


@dataclass(frozen=True, slots=True)
class TruthCell:
    """One state of a mesh seen by one cluster's client: who may answer, and who did.

    affinity: the annotation, `absent` without. local, remote: whether there are ready pods here and elsewhere; shared:
    whether the others share theirs. expected: pods that may answer, by cluster. answered: requests, by cluster. errors:
    requests by class. wrong: what is not as expected, a sentence; else empty. known: what this release is known to do
    otherwise here. settled_seconds: from the change until only the right ones answered; None when they did not.
    """

    client: str
    affinity: str
    local: bool
    remote: bool
    shared: bool
    expected: Mapping[str, int]
    answered: Mapping[str, int]
    errors: Mapping[str, int] = field(default_factory=dict)
    wrong: str = ""
    known: str = ""
    settled_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine of a run, so that figures of two runs are compared fairly."""

    cpus: int
    memory_mib: int
    kernel: str
    system: str
    python: str


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a flow, whole.

    run_id: unique, sorts by time (`20261124T173012Z-1a2b3c`). started_ns: wall clock, nanoseconds since the epoch.
    again: the command that does the same run once more. error: why the run ended early, if it did. convergence: events
    under traffic, in the order they were made; one whose check_id is none of the checks counts as a check of its own.
    """

    flow: str
    lab: str
    run_id: str
    started_ns: int
    seconds: float
    checks: tuple[CheckResult, ...]
    steps: tuple[StepResult, ...] = ()
    load_tests: tuple[LoadTestResult, ...] = ()
    timeline: tuple[TimelineEvent, ...] = ()
    topology: Topology = Topology()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    seeds: Mapping[str, int] = field(default_factory=dict)
    machine: Machine | None = None
    again: str = ""
    error: str = ""
    convergence: tuple[ConvergenceResult, ...] = ()
    truth_table: tuple[TruthCell, ...] = ()

    @property
    def under_traffic(self) -> tuple[LoadTestResult | ConvergenceResult, ...]:
        """Everything that has requests: load tests, then events."""
        return (*self.load_tests, *self.convergence)

    def settled(self) -> Run:
        """The same run with the last of load tests and events that share a name: a retried step judges once more."""
        return replace(self, load_tests=_last_of_each(self.load_tests), convergence=_last_of_each(self.convergence))

    def with_verdict(self, verdict: Verdict) -> tuple[CheckResult, ...]:
        return tuple(check for check in self.checks if check.verdict is verdict)

    @property
    def judged(self) -> tuple[tuple[str, Verdict, str], ...]:
        """All that the verdict rests on, as (id or name, verdict, reason): checks, and events that no check judges."""
        ids = {check.id for check in self.checks}
        unchecked = [event for event in self.convergence if event.check_id not in ids]
        return (
            *((check.id, check.verdict, check.reason) for check in self.checks),
            *((event.name, event.verdict, event.reason) for event in unchecked),
        )

    @property
    def verdict(self) -> Verdict:
        """The run's: fails if anything fails (or the run broke), else inconclusive if any is or none was judged."""
        verdicts = {verdict for _, verdict, _ in self.judged}
        if self.error or Verdict.FAILS in verdicts:
            return Verdict.FAILS
        if Verdict.INCONCLUSIVE in verdicts or Verdict.HOLDS not in verdicts:
            return Verdict.INCONCLUSIVE
        return Verdict.HOLDS

    @property
    def sentence(self) -> str:
        """The one sentence that matters: what failed first, or that everything holds."""
        if self.error:
            return f"The run ended early: {self.error}"
        for worst in (Verdict.FAILS, Verdict.INCONCLUSIVE):
            if found := [(name, reason) for name, verdict, reason in self.judged if verdict is worst]:
                others = f" ({len(found) - 1} more)" if len(found) > 1 else ""
                told = "does not hold" if worst is Verdict.FAILS else "could not be told"
                return f"{found[0][0]} {told}: {found[0][1]}{others}"
        count = sum(verdict is Verdict.HOLDS for _, verdict, _ in self.judged)
        if count == 0:
            return "Nothing was judged."
        return f"All {count} observations hold." if count > 1 else "The one observation holds."


Named = TypeVar("Named", LoadTestResult, ConvergenceResult)


def _last_of_each(results: tuple[Named, ...]) -> tuple[Named, ...]:
    """In the order of their first."""
    return tuple({result.name: result for result in results}.values())
