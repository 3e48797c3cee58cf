"""Judge one load test: records against the expected model, by the unit that the dice were thrown for."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from bgplab.checks.finding import Verdict
from bgplab.results.record import LoadTestResult, Share
from bgplab.traffic.model import Endpoint, Expected, Policy, Unit
from bgplab.traffic.records import Probe
from bgplab.traffic.statistics import (
    FALSE_ALARM_RATE,
    Judgement,
    jain,
    judge_membership,
    judge_shares,
    per_test,
    wilson,
)

INTERVAL = 0.01  # intervals shown are 99 %
EXPLANATION = (
    "p value: how often chance alone would be at least this far off; a run fails below its false-alarm rate.",
    "effect w (Cohen): how far off, whatever the sample's size; 0 is exact, 0.1 small, 0.3 plain to see.",
    "Jain's index: 1 when everybody got their expected part, 1/n when one got everything.",
    "whiskers: 99 % Wilson interval of each share.",
    "power: how surely an imbalance of 20 % would have been seen in this sample.",
)


@dataclass(frozen=True, slots=True)
class Hit:
    """One answered connection: who sent it, which node received it, which endpoint answered."""

    client: str
    port: int
    node: str
    endpoint: str


def hits(probe: Probe, endpoints: Iterable[Endpoint], node_addresses: Mapping[str, str], policy: Policy) -> list[Hit]:
    """Answered connections with the node that received each from the router.

    node_addresses: address → node, all addresses a node uses for SNAT. With Local the node is the pod's. With Cluster
    it is the one whose address the pod saw, or the pod's own where it saw the client.
    """
    homes = {endpoint.name: endpoint.node for endpoint in endpoints}
    columns = probe.columns
    names = ("source_address", "source_port", "backend", "remote_address", "error")
    rows = zip(*(columns[name] for name in names), strict=True)
    found = []
    for client, port, backend, remote, error in rows:
        if error or backend is None:
            continue
        home = homes.get(backend, f"node of {backend}")
        seen = remote.rpartition(":")[0] if remote and policy == "Cluster" else ""
        found.append(Hit(client or "", port or 0, node_addresses.get(seen, home), backend))
    return found


def judge_nodes(seen: Sequence[Hit], expected: Expected, rate: float) -> Judgement:
    """Did each node receive its share? By connection, flow or client address, as the model says."""
    counts = Counter(hit.node for hit in seen)
    if expected.node_unit is Unit.CONNECTION:
        return judge_shares(counts, expected.node_shares, false_alarm_rate=rate)
    stranger = judge_membership(counts, dict.fromkeys(expected.node_shares), rate)
    return stranger or _judge_units(seen, expected, rate)


def _judge_units(seen: Sequence[Hit], expected: Expected, rate: float) -> Judgement:
    """Every unit must keep to one node. Shares of units are then judged; those of clients only if they are enough."""
    by_flow = expected.node_unit is Unit.FLOW
    nodes: dict[object, set[str]] = defaultdict(set)
    for hit in seen:
        nodes[(hit.client, hit.port) if by_flow else hit.client].add(hit.node)
    if not nodes:
        return Judgement(Verdict.INCONCLUSIVE, "no connection was answered")
    noun = expected.node_unit.value
    strayed = [unit for unit, reached in nodes.items() if len(reached) > 1]
    figures: dict[str, float | int | str | None] = {"connections": len(seen), "units": len(nodes), "unit": noun}
    if strayed:
        told = f"{strayed[0]} reached {', '.join(sorted(nodes[strayed[0]]))}"
        strays = f"{len(strayed)} of {len(nodes)} ({noun}) took several nodes: {told}"
        return Judgement(Verdict.FAILS, strays, None, figures)
    if by_flow:
        return judge_shares(
            Counter(next(iter(reached)) for reached in nodes.values()),
            expected.node_shares,
            false_alarm_rate=rate,
            noun="flows",
        )
    if len(expected.nodes) > 1 and _by_chance(len(seen) - len(nodes), len(expected.nodes)) >= rate:
        few = f"{len(seen)} connections of {len(nodes)} ({noun}): too few to tell"
        return Judgement(Verdict.INCONCLUSIVE, few, None, figures)
    who = f"the one {noun} kept to one node" if len(nodes) == 1 else f"each {noun} ({len(nodes)}) kept to one node"
    kept = f"{who}, {len(seen)} connections in all"
    spread = judge_shares(
        Counter(next(iter(reached)) for reached in nodes.values()), expected.node_shares, false_alarm_rate=rate
    )
    if spread.verdict is Verdict.FAILS:
        return spread
    return Judgement(Verdict.HOLDS, kept, spread.fit, figures)


def _by_chance(repeats: int, nodes: int) -> float:
    """How likely a hash over connections would look as sticky: each repetition meets its unit's node by chance."""
    return math.exp(-repeats * math.log(nodes))


def judge_endpoints(seen: Sequence[Hit], expected: Expected, rate: float) -> Judgement:
    """Did each endpoint answer its share? Of its node's answers, where nodes are not drawn per connection."""
    counts = Counter(hit.endpoint for hit in seen)
    if expected.endpoint_unit is Unit.CONNECTION:
        return judge_shares(counts, expected.endpoint_shares, false_alarm_rate=rate)
    stranger = judge_membership(counts, dict.fromkeys(expected.endpoint_shares), rate)
    if stranger:
        return stranger
    sticky = expected.endpoint_unit is not expected.node_unit  # session affinity
    if not expected.within_node or sticky:
        return Judgement(Verdict.INCONCLUSIVE, "only endpoints answered that may; affinity leaves their shares unsaid")
    shared = {node: shares for node, shares in expected.within_node.items() if len(shares) > 1}
    for node, shares in shared.items():
        here = Counter(hit.endpoint for hit in seen if hit.node == node)
        judged = judge_shares(here, shares, false_alarm_rate=per_test(rate, len(shared)))
        if here and judged.verdict is not Verdict.HOLDS:
            return Judgement(judged.verdict, f"on {node}: {judged.reason}", judged.fit, judged.figures)
    return Judgement(Verdict.HOLDS, "only endpoints answered that may, each its part of its node's answers")


def judge_losses(probe: Probe, expected: Expected) -> Judgement:
    """Every connection must be answered; if some were not, say why that had to be, where the model knows."""
    lost, total = len(probe) - probe.answered, len(probe)
    told = ", ".join(f"{count} {error}" for error, count in probe.errors.most_common())
    if not lost:
        return Judgement(Verdict.HOLDS, f"all {total} connections were answered")
    known = "" if expected.lost == 0 else "; ".join(expected.contradictions) or "nobody serves the address"
    return Judgement(Verdict.FAILS, f"{lost} of {total} connections failed ({told})" + (f": {known}" if known else ""))


def judge_load_test(
    name: str,
    title: str,
    probe: Probe,
    expected: Expected,
    endpoints: Sequence[Endpoint],
    node_addresses: Mapping[str, str],
    *,
    policy: Policy,
    hash_policy: int | None,
    target: str,
    check_id: str = "",
    group: str = "",
    false_alarm_rate: float = FALSE_ALARM_RATE,
    tests_in_run: int = 1,
) -> LoadTestResult:
    """The whole judgement of one load test, ready for results and report.

    false_alarm_rate is the run's, divided by its `tests_in_run` load tests, and again between nodes and endpoints.
    """
    rate = per_test(false_alarm_rate, 2 * tests_in_run)
    seen = hits(probe, endpoints, node_addresses, policy)
    losses = judge_losses(probe, expected)
    nodes, pods = judge_nodes(seen, expected, rate), judge_endpoints(seen, expected, rate)
    verdict, reason = _worst((losses, nodes, pods))
    return LoadTestResult(
        name=name,
        title=title,
        policy=policy,
        hash_policy=hash_policy,
        target=target,
        client=probe.where,
        requests=with_nodes(probe, endpoints, node_addresses, policy),
        shares=(
            *_shares("node", Counter(hit.node for hit in seen), expected.node_shares, expected.node_unit),
            *_shares(
                "endpoint", Counter(hit.endpoint for hit in seen), expected.endpoint_shares, expected.endpoint_unit
            ),
        ),
        verdict=verdict,
        reason=reason,
        statistics=_figures(probe, seen, expected, nodes, pods),
        explanation=EXPLANATION,
        unsaid=(*expected.unsaid, *((probe.note,) if probe.note else ())),
        check_id=check_id,
        group=group,
        command=probe.command,
    )


def with_nodes(
    probe: Probe, endpoints: Sequence[Endpoint], node_addresses: Mapping[str, str], policy: Policy
) -> dict[str, Sequence[object]]:
    """The prober's columns and `node`: the node that received each connection, where it is known."""
    answered = iter(hits(probe, endpoints, node_addresses, policy))
    rows = zip(probe.columns["backend"], probe.columns["error"], strict=True)
    nodes = [next(answered).node if backend is not None and not error else None for backend, error in rows]
    return {**probe.columns, "node": nodes}


def _worst(judgements: Sequence[Judgement]) -> tuple[Verdict, str]:
    for verdict in (Verdict.FAILS, Verdict.INCONCLUSIVE):
        for judgement in judgements:
            if judgement.verdict is verdict:
                return verdict, judgement.reason
    return Verdict.HOLDS, judgements[1].reason


def _shares(kind: str, counts: Counter[str], expected: Mapping[str, Fraction | None], unit: Unit) -> tuple[Share, ...]:
    """One row per name that may answer or did. An interval per connection means nothing where the unit is another."""
    total = sum(counts.values())
    rows = []
    for name in (*expected, *sorted(set(counts) - set(expected))):
        share = expected.get(name)
        low, high = wilson(counts[name], total, INTERVAL) if total and unit is Unit.CONNECTION else (None, None)
        rows.append(
            Share(
                kind,  # type: ignore[arg-type]
                name,
                counts[name],
                float(share) if share is not None and unit is not Unit.CLIENT else None,
                name in expected,
                low,
                high,
            )
        )
    return tuple(rows)


def _figures(
    probe: Probe, seen: Sequence[Hit], expected: Expected, nodes: Judgement, pods: Judgement
) -> dict[str, float | int | str | None]:
    counts = Counter(hit.node for hit in seen)
    names = list(expected.node_shares)
    figures: dict[str, float | int | str | None] = {
        "connections": len(probe),
        "answered": probe.answered,
        "connections_per_second": probe.summary.get("per_second"),
        "nodes_reached": len(counts),
        "jain_nodes": jain([counts[name] for name in names]) if names else None,
    }
    for kind, judgement in (("nodes", nodes), ("endpoints", pods)):
        for figure in ("p_value", "effect_w", "power_20%", "needed_for_5%"):
            if figure in judgement.figures:
                figures[f"{figure}_{kind}"] = judgement.figures[figure]
    return figures
