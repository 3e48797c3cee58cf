"""How the routers spread connections (G27–G30)."""

from __future__ import annotations

from typing import Any

from bgplab.checks.claims import difference, judged, listed
from bgplab.checks.expected import Expected
from bgplab.checks.finding import Finding, Verdict, fails, inconclusive, skipped
from bgplab.checks.load_evidence import LOADS, LoadEvidence
from bgplab.checks.registry import Explanation, check
from bgplab.observe.sysctl import (
    HASH_FIELDS,
    HASH_POLICY,
    HashPolicies,
    HashPolicyFiles,
    HashPolicyRestored,
    value_at_boot,
)
from bgplab.results.record import LoadTestResult
from bgplab.traffic import model, witness
from bgplab.traffic.hash_prediction import fields_hashed

SOUGHT = 3000  # connections on which shares are judged, at least

Figures = dict[str, float | int | str | None]


@check(
    "G27",
    title="hash policy 0 sends one client to one node",
    needs=LOADS,
    holds_from="G24",
    until="G28",
    patience_seconds=0,
    explanation=Explanation(
        "With fib_multipath_hash_policy 0 all connections of one client address go to one node, although there are"
        " several next hops.",
        "Policy 0 hashes addresses only, and all of one client's connections have the same.",
        (
            "ssh {router} sysctl net.ipv4.fib_multipath_hash_policy",
            "ssh {router} 'for i in $(seq 100); do curl -s {vip} | grep Hostname; done | sort | uniq -c'",
        ),
    ),
)
def one_client_goes_to_one_node(*seen: Any) -> Finding:
    return _spread_as_due(LoadEvidence(*seen), hash_policy=0, row="G27")


@check(
    "G28",
    title="hash policy is live and persistent",
    needs=(HashPolicies, HashPolicyFiles, HashPolicyRestored),
    explanation=Explanation(
        "The routers' live hash policy is the one sought, exactly one line in a file under /etc/sysctl.d sets it, and"
        " `sysctl --system` brings it back after it was set to 0.",
        "Without the file the next boot is back at 0; with two lines nobody knows which one counts.",
        (
            "ssh {router} sysctl net.ipv4.fib_multipath_hash_policy",
            "ssh {router} grep -r fib_multipath_hash_policy /etc/sysctl.d /etc/sysctl.conf",
        ),
    ),
)
def hash_policy_is_live_and_persistent(
    live: HashPolicies, files: HashPolicyFiles, restored: HashPolicyRestored, expected: Expected
) -> Finding:
    due = expected.spec.ecmp.hash_policy
    problems = []
    for router in expected.routers:
        name, lines = router.name, files.by_router[router.name]
        value = live.by_router[name]
        problems += [f"{name}: live {HASH_POLICY} is {value}, expected {due}"] if value != due else []
        if len(lines) != 1:
            problems.append(f"{name}: {len(lines)} lines set it ({listed(line.file for line in lines)}), expected one")
        elif not lines[0].file.startswith("/etc/sysctl.d/"):
            problems.append(f"{name}: it is set in {lines[0].file}, not in a file under /etc/sysctl.d")
        if value_at_boot(lines) != str(due):
            problems.append(f"{name}: files set it to {value_at_boot(lines)}, expected {due}")
        if restored.by_router and restored.by_router.get(name) != due:
            back = restored.by_router.get(name, "nothing that was looked at")
            problems.append(f"{name}: `sysctl --system` brought back {back}, expected {due}")
    proved = "`sysctl --system` brought it back from 0" if restored.by_router else "not set to 0 and back here"
    return judged(problems, f"{HASH_POLICY} is {due}, by one line in /etc/sysctl.d; {proved}", hash_policy=due)


@check(
    "G29",
    title="connections spread evenly over the nodes",
    needs=LOADS,
    holds_from="G28",
    patience_seconds=0,
    explanation=Explanation(
        "With ports in the hash, connections spread over all next hops, each with its equal share; judged on thousands"
        " of connections at a stated false-alarm rate, the guide's 100 shown beside.",
        "Each connection has a source port of its own, so it is a draw of its own. 100 draws cannot tell an even spread"
        " from a lopsided one.",
        ("ssh {router} 'for i in $(seq 100); do curl -s {vip} | grep Hostname; done | sort | uniq -c'",),
    ),
)
def connections_spread_evenly(*seen: Any) -> Finding:
    evidence = LoadEvidence(*seen)
    expected, loads = evidence.expected, evidence.loads.by_router
    few = {router: len(load.large) for router, load in loads.items() if len(load.large) < SOUGHT}
    if few and len(expected.announcers) > 1:
        return inconclusive(f"too few connections to judge shares ({SOUGHT} are needed): {few}")
    due = expected.spec.ecmp.hash_policy
    portless = {
        router.name: view.hash_fields
        for router in expected.routers
        if due == 3 and expected.installed_paths(router) > 1 and not (view := evidence.view(router)).hashes_ports
    }
    if portless:
        return fails(f"hash policy {due} hashes no port, so that nothing can spread: {HASH_FIELDS} is {portless}")
    return _spread_as_due(evidence, hash_policy=due, row="G29")


@check(
    "G30",
    title="BGP table, kernel table and traffic agree",
    needs=LOADS,
    holds_from="G28",
    patience_seconds=0,
    explanation=Explanation(
        "The nodes with a path in the BGP table, the next hops in the kernel, and the nodes that connections really"
        " went to are the same. Who else saw the connections confirms the client's records: the nodes' own counters,"
        " the pods, the router's kernel asked for single connections, and the hash computed from its seed, if it has"
        " one.",
        "Each of the three can be right while another is wrong: a path that is not installed, a route that leads into"
        " nothing, a node that answers without announcing. And a client's records are only its own word.",
        (
            "ssh {router} sudo vtysh -c 'show ip bgp {vip}/32'",
            "ssh {router} ip route | grep {vip}",
            "ssh {router} 'for i in $(seq 100); do curl -s {vip} | grep Hostname; done | sort | uniq -c'",
            "ssh {node} sudo nft list counters table ip bgplab",
            "ssh {router} ip route get {vip} ipproto tcp sport 20000 dport {port}",
        ),
    ),
)
def evidence_agrees(*seen: Any) -> Finding:
    evidence = LoadEvidence(*seen)
    expected, vip = evidence.expected, evidence.loads.vip
    if not expected.announcers:
        return inconclusive(f"no node should announce {expected.vip}: three empty sets agree about nothing")
    problems, unclear, told = [], [], []
    figures: Figures = {}
    results = evidence.results("G30")
    for router in expected.routers:
        if router.name not in results:
            return inconclusive(f"no load test from {router.name}")
        view = evidence.view(router)
        problems += evidence.missing_ways(router)
        kernel = {hop.node for hop in view.installed or ()}
        reached = {share.name for share in results[router.name].of_kind("node") if share.observed}
        problems += difference(f"{router.name}: kernel against BGP table", kernel, view.paths)
        problems += difference(f"{router.name}: traffic against kernel", reached, kernel)
        others, more = _witnesses(evidence, view, results[router.name])
        problems += [f"{router.name}: {problem}" for problem in others.problems]
        unclear += [f"{router.name}: {one}" for one in others.unclear]
        prefix = f"{router.name}_" if len(expected.routers) > 1 else ""
        figures |= {f"{prefix}{key}": value for key, value in more.items()}
        absent = [f"absent: {listed(others.absent)}"] if others.absent else []
        told.append(f"{router.name}: {'; '.join([listed(reached), *others.told, *absent])}")
    said = f"BGP table = kernel table = traffic ({'; '.join(told)})"
    if unclear and not problems:
        return inconclusive("; ".join(unclear), None, vip=str(vip), **figures)
    return judged(problems, said, vip=str(vip), **figures)


def _witnesses(
    evidence: LoadEvidence, view: model.RouterView, result: LoadTestResult
) -> tuple[witness.Agreement, Figures]:
    """Everybody who saw a router's load test beside the client, and whether the next one can be foretold."""
    records: witness.Records = result.requests
    expected, load = evidence.expected, evidence.loads.by_router[view.name]
    agreed = witness.pods_saw(records, set(evidence.node_names), hides_clients=expected.policy != "Local")
    if load.seen is None:
        return agreed, {}
    agreed += witness.nodes_counted(records, load.seen.counted, {node.name for node in expected.announcers})
    if load.fixed is None or load.hash_key is None:
        return agreed, {}
    fixed = evidence.records(load.fixed)
    # under policy 3 `ip route get` answers for a packet, whose hash is not that of a connection of the router's own
    ways = load.seen.ways if view.hash_policy != 3 else {}
    agreed += witness.kernel_says(fixed, ways, evidence.name_of)
    seed = load.hash_key.seed
    if not seed:
        why = "its seed is random" if seed == 0 else "this kernel has no seed to set"
        return agreed + witness.Agreement(absent=(f"repetition of the hash ({why})",)), {}
    figures: Figures = {"hash_seed": seed}
    fields = fields_hashed(view.hash_policy, load.hash_key.fields)
    if fields is not None:
        hops = [(hop.node, hop.weight) for hop in view.installed or ()]
        target = (evidence.loads.vip, evidence.loads.port)
        foretold, figures["foretold_share"] = witness.hash_foretells(fixed, target, seed=seed, fields=fields, hops=hops)
        agreed += foretold
    if load.again is not None:
        repeated, figures["repeated_share"] = witness.repeats(fixed, evidence.records(load.again))
        agreed += repeated
    return agreed, figures


def _spread_as_due(evidence: LoadEvidence, *, hash_policy: int, row: str) -> Finding:
    expected, loads = evidence.expected, evidence.loads.by_router
    wrong = {name: value for name, value in evidence.policies.by_router.items() if value != hash_policy}
    if wrong:
        return fails(f"{HASH_POLICY} is {wrong}, expected {hash_policy}")
    if len(expected.announcers) < 2:
        return skipped(f"{len(expected.announcers)} nodes announce {expected.vip}: nothing to spread over")
    missing_ways = [each for router in expected.routers for each in evidence.missing_ways(router)]
    if missing_ways:
        return fails("; ".join(missing_ways))
    results = evidence.results(row)
    missing = {router.name for router in expected.routers} - set(results)
    if missing:
        return inconclusive(f"no load test from {listed(missing)}")
    told = []
    figures: Figures = {}
    for name, result in results.items():
        told.append(f"{name}: {result.reason} ({_counts(result)})")
        prefix = f"{name}_" if len(results) > 1 else ""
        figures |= {f"{prefix}{key}": value for key, value in result.statistics.items()}
        figures[f"{prefix}small"] = " / ".join(str(count) for _, count in loads[name].small.backends.most_common())
    for verdict, say in ((Verdict.FAILS, fails), (Verdict.INCONCLUSIVE, inconclusive)):
        if any(result.verdict is verdict for result in results.values()):
            bad = [line for line, result in zip(told, results.values(), strict=True) if result.verdict is verdict]
            return say("; ".join(bad), None, **figures)
    return judged([], "; ".join(told), **figures)


def _counts(result: LoadTestResult) -> str:
    return ", ".join(f"{share.name} {share.observed}" for share in result.of_kind("node"))
