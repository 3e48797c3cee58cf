"""A cluster without pods of its own, and the truth table (M12, M13, M15)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from bgplab.checks.claims import difference, judged, listed
from bgplab.checks.finding import Finding, inconclusive
from bgplab.checks.mesh_expected import MeshExpected
from bgplab.checks.mesh_service import ASK
from bgplab.checks.registry import Explanation, check
from bgplab.observe.mesh_failover import Crossing, FailedOver, Restored
from bgplab.observe.mesh_truth_table import Cell, TruthTable
from bgplab.results.record import ConvergenceResult, TruthCell
from bgplab.traffic.convergence import NOT_THE_NETWORKS, convergence
from bgplab.traffic.mesh_model import Answering, truth_table, who_may_answer

#: A connection that nobody can answer fails at once, as Cilium's socket load balancer ends it; more is a hang.
AT_ONCE_SECONDS = 0.5
CURL_COULD_NOT_CONNECT = 7  # curl(1), EXIT CODES
FEWEST_AFTER = 20


@check(
    "M12",
    title="failover: without own pods the others answer",
    needs=(FailedOver,),
    holds_from="M11",
    patience_seconds=0,
    explanation=Explanation(
        "With affinity local the first cluster's application is scaled to 0 while its client asks on. Before, its own"
        " pods answer; once all agents have taken it in, only other clusters' do, and no request fails. How long it"
        " took and what was lost meanwhile is recorded.",
        "When no preferred backend is left the others are used. Only readiness counts: a connection that is lost"
        " between the clusters changes nothing.",
        ("kubectl --context {context} scale deployment {app} --replicas 0  # in the first cluster", ASK),
    ),
)
def others_answer_when_own_pods_are_gone(seen: FailedOver, expected: MeshExpected) -> Finding:
    return _judge(seen.crossing, expected, replicas=0)


@check(
    "M13",
    title="restore: own pods answer again",
    needs=(Restored,),
    holds_from="M11",
    patience_seconds=0,
    explanation=Explanation(
        "The first cluster's application gets its pods back while its client asks on: they answer again, they alone,"
        " and no request fails once it has settled.",
        "A preferred backend that is ready is used at once; new connections leave the other clusters.",
        ("kubectl --context {context} scale deployment {app} --replicas {replicas}  # in the first cluster", ASK),
    ),
)
def own_pods_answer_again(seen: Restored, expected: MeshExpected) -> Finding:
    return _judge(seen.crossing, expected, replicas=expected.cluster(seen.crossing.cluster).app.replicas)


def _judge(crossing: Crossing, expected: MeshExpected, replicas: int) -> Finding:
    """Before the event only the one side may have answered, after it has settled only the other."""
    client = crossing.cluster
    problems = [] if crossing.replicas == replicas else [f"{client} was scaled to {crossing.replicas}, not {replicas}"]
    before = [row for row in _rows(crossing) if row[0] < crossing.event_ns]
    after = [row for row in _rows(crossing) if row[0] >= crossing.settled_ns]
    for when, rows, due in (("before", before, crossing.before), ("after it had settled", after, crossing.after)):
        problems += difference(f"{when} answered", {backend for _, backend, error in rows if not error}, due)
        failed = Counter(error for _, _, error in rows if error)
        problems += [f"{when} {failed.total()} of {len(rows)} requests failed ({_told(failed)})"] if failed else []
    figures = _figures(crossing)
    if len(after) < FEWEST_AFTER:
        return inconclusive(f"{len(after)} requests after it had settled, {FEWEST_AFTER} are needed", None, **figures)
    what = "its own pods alone answer" if replicas else "others answer"
    told = f"{client} at {crossing.replicas} pods: {what} after {figures['converged_seconds']:.2f} s"
    return judged(problems, f"{told}; {figures['lost']} of {figures['requests']} requests lost", **figures)


def _rows(crossing: Crossing) -> list[tuple[int, str | None, str]]:
    """(start, backend, error) in order of time, without what our own stop interrupted."""
    columns = crossing.probe.columns
    rows = zip(columns["start_ns"], columns["backend"], columns["error"], strict=True)
    return sorted((row for row in rows if row[2] not in NOT_THE_NETWORKS), key=lambda row: row[0])


def _figures(crossing: Crossing) -> dict[str, float | int]:
    """converged_seconds: from the event until the last request that was not answered by who answers afterwards."""
    late = [start for start, backend, error in _rows(crossing) if error or backend not in crossing.after]
    last = max((start for start in late if start >= crossing.event_ns), default=crossing.event_ns)
    seen = convergence(crossing.probe)
    return {
        "requests": seen.sent,
        "lost": seen.lost,
        "converged_seconds": round((last - crossing.event_ns) / 1e9, 3),
        "settled_seconds": round((crossing.settled_ns - crossing.event_ns) / 1e9, 3),
        "outage_seconds": round(seen.outage_seconds, 3),
    }


def convergence_of(crossing: Crossing, check_id: str, finding: Finding) -> ConvergenceResult:
    """The crossing as results and report keep it."""
    seen, away = convergence(crossing.probe), crossing.replicas == 0
    figures = _figures(crossing)
    return ConvergenceResult(
        name=f"{check_id} {'failover' if away else 'restore'}",
        title="Failover to other clusters" if away else "Back to the own cluster",
        event=f"{crossing.cluster}: scaled to {crossing.replicas}",
        expectation=(
            f"{listed(crossing.after)} answer {crossing.cluster}'s client, nobody else, and no request fails once every"
            " agent has taken it in"
        ),
        verdict=finding.verdict,
        reason=finding.reason,
        interval_seconds=crossing.interval_seconds,
        requests=_requests(crossing),
        event_at_ns=crossing.event_ns,
        first_failure_at_ns=seen.first_failure_ns,
        last_failure_at_ns=seen.last_failure_ns,
        sent=seen.sent,
        lost=seen.lost,
        outage_seconds=seen.outage_seconds,
        recovery_seconds=seen.seconds_after(crossing.event_ns) if seen.recovered else None,
        figures={name: figures[name] for name in ("converged_seconds", "settled_seconds")},
        check_id=check_id,
    )


def _requests(crossing: Crossing) -> dict[str, list[object]]:
    """The prober's columns, and the node that answered; without what our own stop interrupted."""
    columns = crossing.probe.columns
    kept = [place for place, error in enumerate(columns["error"]) if error not in NOT_THE_NETWORKS]
    requests = {name: [column[place] for place in kept] for name, column in columns.items()}
    homes = {pod: home.node for pod, home in crossing.homes.items()}
    return {**requests, "node": [homes.get(pod) for pod in requests["backend"]]}


# The truth table -----------------------------------------------------------------------------------------------------


@check(
    "M15",
    title="truth table: who may answer, in every state",
    needs=(TruthTable,),
    holds_from="M14",
    patience_seconds=0,
    explanation=Explanation(
        "In every combination of affinity (absent, none, local, remote), ready pods here and there, and sharing, seen"
        " from every cluster, exactly those pods answer that Cilium's rules name. Where nobody is left, a connection"
        " fails at once (EHOSTUNREACH, curl exit 7) and does not hang.",
        "The rules fit on a page and interact. What releases are known to do otherwise is expected of them, and named.",
        (
            "kubectl --context {context} annotate service {app} service.cilium.io/affinity=local --overwrite",
            "kubectl --context {context} annotate service {app} service.cilium.io/shared=false --overwrite",
            "kubectl --context {context} exec {client} -- curl -s --connect-timeout 1 {app}; echo $?",
        ),
    ),
)
def who_answers_is_as_the_rules_say(table: TruthTable, expected: MeshExpected) -> Finding:
    states = truth_table(expected.names)
    made = Counter((cell.state, cell.client.cluster) for cell in table.cells)
    missing = [(state, name) for state in states for name in expected.names if not made[(state, name)]]
    problems = [f"{len(missing)} of {len(states) * len(expected.names)} cells were not made"] if missing else []
    known: Counter[str] = Counter()
    nobody = 0
    for cell in table.cells:
        answering = who_may_answer(cell.client, cell.others)
        known.update(str(one) for one in answering.deviations)
        nobody += not answering.backends
        problems += [f"{_where(cell)}: {problem}" for problem in judge_cell(cell, answering)]
    slowest = max((cell.settled_seconds or 0 for cell in table.cells), default=0)
    told = f"{len(table.cells)} cells as the rules say, {nobody} of them with nobody to answer, which fails at once"
    told += "".join(f"; {count} as known of this release: {what}" for what, count in known.items())
    return judged(
        problems,
        told,
        cells=len(table.cells),
        cells_with_nobody=nobody,
        cells_that_deviate_as_known=known.total(),
        slowest_settled_seconds=round(slowest, 3),
        seconds=round(table.seconds, 1),
    )


def judge_cell(cell: Cell, answering: Answering) -> list[str]:
    """What is wrong in one cell; empty when it is as it must be."""
    due, names = answering.backends, _names(cell)
    answered = frozenset(pod for pod, count in cell.answered.items() if count)
    if answered != due:
        told = f"{_sides(answered, names)} answered, expected {_sides(due, names)}"
        documented = answering.documented
        bug = " (by the documented rules it is right; this release is known to do otherwise)"
        return [told + (bug if answered == documented else "")]
    if due:
        return [f"{Counter(cell.errors).total()} requests failed ({_told(cell.errors)})"] if cell.errors else []
    problems = []
    if set(cell.errors) != {"unreachable"}:
        problems.append(f"nobody can answer: {_told(cell.errors) or 'nothing was asked'}, expected EHOSTUNREACH")
    if cell.slowest_failure_seconds > AT_ONCE_SECONDS:
        problems.append(f"nobody can answer, and it took {cell.slowest_failure_seconds:.2f} s to say so")
    if cell.curl is None or cell.curl.exit_status != CURL_COULD_NOT_CONNECT:
        said = "was not asked" if cell.curl is None else f"ended with {cell.curl.exit_status}"
        problems.append(f"nobody can answer: curl {said}, expected {CURL_COULD_NOT_CONNECT}")
    return problems


def truth_cell(cell: Cell, client: str, clusters: Sequence[str]) -> TruthCell:
    """The cell as results and report keep it."""
    answering, row = who_may_answer(cell.client, cell.others), cell.state.row(client, clusters)
    names = _names(cell)
    answered: Counter[str] = Counter()
    for pod, count in cell.answered.items():
        answered[names.get(pod, pod)] += count
    return TruthCell(
        client=client,
        affinity=row.affinity,
        local=row.local,
        remote=row.remote,
        shared=row.shared,
        expected=dict(Counter(names[pod] for pod in answering.backends)),
        answered=dict(answered),
        errors=dict(cell.errors),
        wrong="; ".join(judge_cell(cell, answering)),
        known="; ".join(str(one) for one in answering.deviations),
        settled_seconds=cell.settled_seconds,
    )


def _where(cell: Cell) -> str:
    side, state = cell.client, cell.state
    others = [other.cluster for other in cell.others if other.cluster in state.up]
    here = "ready" if side.cluster in state.up else "none"
    shared = "shared" if state.shared else "not shared"
    return f"{side.cluster}, affinity {state.affinity}, local {here}, remote {listed(others)} {shared}"


def _names(cell: Cell) -> dict[str, str]:
    return {pod: side.cluster for side in (cell.client, *cell.others) for pod in side.ready}


def _sides(pods: frozenset[str], names: dict[str, str]) -> str:
    """`2 of west, 1 of east`; what belongs to nobody by its name."""
    counted = Counter(names.get(pod, pod) for pod in pods)
    return ", ".join(f"{count} of {name}" for name, count in sorted(counted.items())) or "nobody"


def _told(errors: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {error}" for error, count in sorted(errors.items()))
