"""How the routers spread connections (G27–G30)."""

from __future__ import annotations

from dataclasses import replace

from bgplab.checks.chance import rate_of
from bgplab.checks.claims import difference, judged, listed
from bgplab.checks.expected import Expected
from bgplab.checks.finding import Finding, Verdict, fails, inconclusive, skipped
from bgplab.checks.registry import Explanation, check
from bgplab.observe.endpoint_slices import Endpoints
from bgplab.observe.frr_bgp import BgpTables
from bgplab.observe.kernel_routes import RouterRoutes
from bgplab.observe.load import Load, LoadRuns
from bgplab.observe.sysctl import HASH_POLICY, HashPolicies, HashPolicyFiles, HashPolicyRestored, value_at_boot
from bgplab.results.record import LoadTestResult
from bgplab.spec.model import Router
from bgplab.traffic import model, witness
from bgplab.traffic.hash_prediction import fields_hashed
from bgplab.traffic.load_test import judge_load_test, with_nodes
from bgplab.traffic.records import Probe
from bgplab.traffic.statistics import RESOLUTION, connections_needed, per_test

LOADS = (LoadRuns, HashPolicies, BgpTables, RouterRoutes, Endpoints)
SOUGHT = 3000  # connections on which shares are judged, at least
STICKY_CONNECTIONS = 1000
MOST_CONNECTIONS = 100_000  # about 10 s of the prober


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
def one_client_goes_to_one_node(
    loads: LoadRuns,
    policies: HashPolicies,
    tables: BgpTables,
    routes: RouterRoutes,
    endpoints: Endpoints,
    expected: Expected,
) -> Finding:
    return _spread_as_due(loads, policies, tables, routes, endpoints, expected, hash_policy=0, row="G27")


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
        if name in restored.by_router and restored.by_router[name] != due:
            problems.append(f"{name}: `sysctl --system` brought back {restored.by_router[name]}, expected {due}")
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
def connections_spread_evenly(
    loads: LoadRuns,
    policies: HashPolicies,
    tables: BgpTables,
    routes: RouterRoutes,
    endpoints: Endpoints,
    expected: Expected,
) -> Finding:
    few = {router: len(load.large) for router, load in loads.by_router.items() if len(load.large) < SOUGHT}
    if few:
        return inconclusive(f"too few connections to judge shares ({SOUGHT} are needed): {few}")
    due = expected.spec.ecmp.hash_policy
    return _spread_as_due(loads, policies, tables, routes, endpoints, expected, hash_policy=due, row="G29")


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
            "ssh {router} ip route get {vip} ipproto tcp sport 20000 dport 80",
        ),
    ),
)
def evidence_agrees(
    loads: LoadRuns,
    policies: HashPolicies,
    tables: BgpTables,
    routes: RouterRoutes,
    endpoints: Endpoints,
    expected: Expected,
) -> Finding:
    problems = []
    told = []
    figures: dict[str, float | int | str | None] = {}
    results = load_tests(loads, policies, tables, routes, endpoints, expected, check_id="G30")
    for router in expected.routers:
        if router.name not in results:
            return inconclusive(f"no load test from {router.name}")
        view = router_view(router, tables, routes, policies, expected)
        problems += _ways_that_are_missing(router, tables, expected)
        kernel = {hop.node for hop in view.installed or ()}
        reached = {share.name for share in results[router.name].of_kind("node") if share.observed}
        problems += difference(f"{router.name}: kernel against BGP table", kernel, view.paths)
        problems += difference(f"{router.name}: traffic against kernel", reached, kernel)
        load, result = loads.by_router[router.name], results[router.name]
        others, more = _witnesses(load, result, view, loads, endpoints, expected)
        problems += [f"{router.name}: {problem}" for problem in others.problems]
        prefix = f"{router.name}_" if len(expected.routers) > 1 else ""
        figures |= {f"{prefix}{key}": value for key, value in more.items()}
        absent = [f"absent: {listed(others.absent)}"] if others.absent else []
        told.append(f"{router.name}: {'; '.join([listed(reached), *others.told, *absent])}")
    said = f"BGP table = kernel table = traffic ({'; '.join(told)})"
    return judged(problems, said, vip=str(loads.vip), **figures)


def _witnesses(
    load: Load,
    result: LoadTestResult,
    view: model.RouterView,
    loads: LoadRuns,
    endpoints: Endpoints,
    expected: Expected,
) -> tuple[witness.Agreement, dict[str, float | int | str | None]]:
    """Everybody who saw the load test beside the client, and whether the next one can be foretold."""
    records: witness.Records = result.requests
    agreed = witness.pods_saw(
        records, {str(node.address) for node in expected.nodes}, hides_clients=expected.policy != "Local"
    )
    if load.seen is None:
        return agreed, {}
    agreed += witness.nodes_counted(records, load.seen.counted, {node.name for node in expected.announcers})
    if load.fixed is None or load.hash_key is None:
        return agreed, {}
    fixed = _records(load.fixed, endpoints, expected)
    # under policy 3 `ip route get` answers for a packet, whose hash is not that of a connection of the router's own
    ways = load.seen.ways if view.hash_policy != 3 else {}
    agreed += witness.kernel_says(fixed, ways, lambda via: _name(via, expected))
    seed = load.hash_key.seed
    if not seed:
        why = "its seed is random" if seed == 0 else "this kernel has no seed to set"
        return agreed + witness.Agreement(absent=(f"repetition of the hash ({why})",)), {}
    figures: dict[str, float | int | str | None] = {"hash_seed": seed}
    fields = fields_hashed(view.hash_policy, load.hash_key.fields)
    if fields is not None:
        hops = [(hop.node, hop.weight) for hop in view.installed or ()]
        target = (loads.vip, loads.port)
        foretold, figures["foretold_share"] = witness.hash_foretells(fixed, target, seed=seed, fields=fields, hops=hops)
        agreed += foretold
    if load.again is not None:
        repeated, figures["repeated_share"] = witness.repeats(fixed, _records(load.again, endpoints, expected))
        agreed += repeated
    return agreed, figures


def _records(probe: Probe, endpoints: Endpoints, expected: Expected) -> witness.Records:
    return with_nodes(probe, _serving(endpoints), _node_names(expected), _policy(expected))


def _spread_as_due(
    loads: LoadRuns,
    policies: HashPolicies,
    tables: BgpTables,
    routes: RouterRoutes,
    endpoints: Endpoints,
    expected: Expected,
    *,
    hash_policy: int,
    row: str,
) -> Finding:
    wrong = {name: value for name, value in policies.by_router.items() if value != hash_policy}
    if wrong:
        return fails(f"{HASH_POLICY} is {wrong}, expected {hash_policy}")
    if len(expected.announcers) < 2:
        return skipped(f"{len(expected.announcers)} nodes announce {expected.vip}: nothing to spread over")
    missing_ways = [each for router in expected.routers for each in _ways_that_are_missing(router, tables, expected)]
    if missing_ways:
        return fails("; ".join(missing_ways))
    results = load_tests(loads, policies, tables, routes, endpoints, expected, check_id=row)
    missing = {router.name for router in expected.routers} - set(results)
    if missing:
        return inconclusive(f"no load test from {listed(missing)}")
    told = []
    figures: dict[str, float | int | str | None] = {}
    for name, result in results.items():
        told.append(f"{name}: {result.reason} ({_counts(result)})")
        prefix = f"{name}_" if len(results) > 1 else ""
        figures |= {f"{prefix}{key}": value for key, value in result.statistics.items()}
        figures[f"{prefix}small"] = " / ".join(
            str(count) for _, count in loads.by_router[name].small.backends.most_common()
        )
    for verdict, say in ((Verdict.FAILS, fails), (Verdict.INCONCLUSIVE, inconclusive)):
        if any(result.verdict is verdict for result in results.values()):
            bad = [line for line, result in zip(told, results.values(), strict=True) if result.verdict is verdict]
            return say("; ".join(bad), None, **figures)
    return judged([], "; ".join(told), **figures)


def _ways_that_are_missing(router: Router, tables: BgpTables, expected: Expected) -> list[str]:
    """What a distribution cannot show: it is even over those who are there, also when a node is not among them."""
    paths = tables.by_router[router.name].paths(expected.vip_prefix) if expected.vip_prefix else ()
    usable = [path for path in paths if path.valid]
    announcing = [_name(path.next_hop, expected) for path in usable]
    due = [node.name for node in expected.announcers]
    problems = difference(f"{router.name}: nodes with a path to {expected.vip}", announcing, due)
    used, installed = sum(path.in_use for path in usable), expected.installed_paths(router)
    if not problems and used != installed:
        problems.append(f"{router.name}: {used} paths to {expected.vip} are in use (multipath), expected {installed}")
    return problems


def _counts(result: LoadTestResult) -> str:
    return ", ".join(f"{share.name} {share.observed}" for share in result.of_kind("node"))


def load_tests(
    loads: LoadRuns,
    policies: HashPolicies,
    tables: BgpTables,
    routes: RouterRoutes,
    endpoints: Endpoints,
    expected: Expected,
    *,
    check_id: str,
    small: bool = False,
) -> dict[str, LoadTestResult]:
    """Each router's load test, judged against what follows from Service, endpoints, BGP and kernel.

    small: the guide's own number of requests instead. Routers without a record are left out.
    """
    serving, policy = _serving(endpoints), _policy(expected)
    results = {}
    for router in expected.routers:
        load = loads.by_router.get(router.name)
        measured = load and (load.small if small else load.large)
        if not measured or not len(measured) or not measured.source_addresses:
            continue
        due = model.expect(
            model.Service(policy),
            serving,
            [_with_fields(router_view(router, tables, routes, policies, expected), load)],
            model.Clients(measured.source_addresses, len(measured)),
        )
        results[router.name] = judge_load_test(
            f"{check_id} {router.name}" + (" guide's number" if small else ""),
            f"{len(measured)} connections from {router.name}, hash policy {policies.by_router[router.name]}",
            measured,
            due,
            serving,
            _node_names(expected),
            policy=policy,
            hash_policy=policies.by_router[router.name],
            target=f"http://{loads.vip}/",
            check_id=check_id,
            group=f"hash policy from {router.name}",
            false_alarm_rate=rate_of("load tests"),
            tests_in_run=tests_in_run(expected),
        )
    return results


def _with_fields(view: model.RouterView, load: Load | None) -> model.RouterView:
    return replace(view, hash_fields=load.hash_key.fields) if load and load.hash_key else view


def _serving(endpoints: Endpoints) -> tuple[model.Endpoint, ...]:
    return tuple(
        model.Endpoint(entry.pod or str(entry.address), entry.node or "", str(entry.address))
        for entry in endpoints.ready
    )


def _policy(expected: Expected) -> model.Policy:
    return "Local" if expected.policy == "Local" else "Cluster"


def _node_names(expected: Expected) -> dict[str, str]:
    return {str(node.address): node.name for node in expected.nodes}


def connections_for(expected: Expected, router: Router) -> int:
    """How many connections the judged load test opens: the description's number, or more where shares are many.

    With ten next hops each share is a tenth, and 6,000 connections could not show that one is a fifth too large. With
    hash policy 0 (until G28) no node's share is judged, only that a client keeps to one node: a thousand say that
    surely. With policy Cluster pods' shares are judged even then.
    """
    if not expected.reached("G28") and expected.policy == "Local":
        return min(expected.spec.load_test.requests, STICKY_CONNECTIONS)
    parts = expected.installed_paths(router)
    if expected.policy == "Cluster":
        parts = max(parts, len(expected.endpoints.ready))
    if parts < 2:
        return expected.spec.load_test.requests
    rate = per_test(rate_of("load tests"), 2 * tests_in_run(expected))
    needed = connections_needed([1 / parts] * parts, RESOLUTION, rate)
    return max(expected.spec.load_test.requests, min(needed, MOST_CONNECTIONS))


def tests_in_run(expected: Expected) -> int:
    """G27 and G29 from every router."""
    return 2 * len(expected.routers)


def router_view(
    router: Router, tables: BgpTables, routes: RouterRoutes, policies: HashPolicies, expected: Expected
) -> model.RouterView:
    """A router's way to the VIP, by node: valid multipath paths, and the kernel's next hops."""
    prefix = expected.vip_prefix
    paths = tables.by_router[router.name].paths(prefix) if prefix else ()
    used = [path for path in paths if path.valid and path.in_use]
    route = routes.by_router[router.name].to(prefix) if prefix else None
    return model.RouterView(
        router.name,
        tuple(sorted(_name(path.next_hop, expected) for path in used)),
        router.maximum_paths,
        policies.by_router[router.name],
        tuple(model.NextHop(_name(hop.via, expected)) for hop in (route.next_hops if route else ())),
    )


def _name(address: object, expected: Expected) -> str:
    return next((node.name for node in expected.nodes if node.address == address), str(address))
