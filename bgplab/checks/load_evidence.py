"""Load tests from every router, with all that their judgement rests on (G27, G29, G30)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bgplab.checks.chance import rate_of
from bgplab.checks.claims import difference
from bgplab.checks.expected import Expected
from bgplab.observe.endpoint_slices import Endpoints
from bgplab.observe.frr_bgp import BgpPath, BgpTables
from bgplab.observe.kernel_routes import RouterRoutes
from bgplab.observe.load import MOST_FLOWS, LoadRuns
from bgplab.observe.sysctl import HashPolicies
from bgplab.results.record import LoadTestResult
from bgplab.spec.model import Router
from bgplab.traffic import model, witness
from bgplab.traffic.load_test import judge_load_test, with_nodes
from bgplab.traffic.records import Probe
from bgplab.traffic.statistics import RESOLUTION, connections_needed, per_test

LOADS = (LoadRuns, HashPolicies, BgpTables, RouterRoutes, Endpoints)
STICKY_CONNECTIONS = 1000


@dataclass(frozen=True, slots=True)
class LoadEvidence:
    """What LOADS names, in its order, and the expectation."""

    loads: LoadRuns
    policies: HashPolicies
    tables: BgpTables
    routes: RouterRoutes
    endpoints: Endpoints
    expected: Expected

    @property
    def serving(self) -> tuple[model.Endpoint, ...]:
        """Ready pods; those without a pod behind them by their address."""
        return tuple(
            model.Endpoint(entry.pod or str(entry.address), entry.node or "", str(entry.address))
            for entry in self.endpoints.ready
        )

    @property
    def policy(self) -> model.Policy:
        return "Local" if self.expected.policy == "Local" else "Cluster"

    @property
    def node_names(self) -> dict[str, str]:
        """By address."""
        return {str(node.address): node.name for node in self.expected.nodes}

    def name_of(self, address: object) -> str:
        """A node's, or the address itself."""
        return self.node_names.get(str(address), str(address))

    def view(self, router: Router) -> model.RouterView:
        """A router's way to the VIP, by node: valid multipath paths, and the kernel's next hops.

        With the fields that its kernel hashed in the load test, where that was asked.
        """
        used = [path for path in self._valid_paths(router) if path.in_use]
        prefix = self.expected.vip_prefix
        route = self.routes.by_router[router.name].to(prefix) if prefix else None
        view = model.RouterView(
            router.name,
            tuple(sorted(self.name_of(path.next_hop) for path in used)),
            router.maximum_paths,
            self.policies.by_router[router.name],
            tuple(model.NextHop(self.name_of(hop.via)) for hop in (route.next_hops if route else ())),
        )
        load = self.loads.by_router.get(router.name)
        return replace(view, hash_fields=load.hash_key.fields) if load and load.hash_key else view

    def missing_ways(self, router: Router) -> list[str]:
        """What a distribution cannot show: it is even over those who are there, also when a node is not among them."""
        paths, expected = self._valid_paths(router), self.expected
        announcing = [self.name_of(path.next_hop) for path in paths]
        due = [node.name for node in expected.announcers]
        problems = difference(f"{router.name}: nodes with a path to {expected.vip}", announcing, due)
        used, installed = sum(path.in_use for path in paths), expected.installed_paths(router)
        if not problems and used != installed:
            multipath = f"{used} paths to {expected.vip} are in use (multipath), expected {installed}"
            problems.append(f"{router.name}: {multipath}")
        return problems

    def _valid_paths(self, router: Router) -> list[BgpPath]:
        prefix = self.expected.vip_prefix
        return [path for path in self.tables.by_router[router.name].paths(prefix) if path.valid] if prefix else []

    def records(self, probe: Probe) -> witness.Records:
        """Its connections with the node that received each."""
        return with_nodes(probe, self.serving, self.node_names, self.policy)

    def results(self, check_id: str, *, small: bool = False) -> dict[str, LoadTestResult]:
        """Each router's load test, judged against what follows from Service, endpoints, BGP and kernel.

        small: the guide's own number of requests instead. Routers without a record are left out.
        """
        results = {}
        for router in self.expected.routers:
            load = self.loads.by_router.get(router.name)
            measured = load and (load.small if small else load.large)
            if measured and len(measured) and measured.source_addresses:
                results[router.name] = self._result(router, measured, check_id, small)
        return results

    def _result(self, router: Router, measured: Probe, check_id: str, small: bool) -> LoadTestResult:
        hash_policy = self.policies.by_router[router.name]
        due = model.expect(
            model.Service(self.policy),
            self.serving,
            [self.view(router)],
            model.Clients(measured.source_addresses, len(measured), measured.chosen_source_ports),
        )
        return judge_load_test(
            f"{check_id} {router.name}" + (" guide's number" if small else ""),
            f"{len(measured)} connections from {router.name}, hash policy {hash_policy}",
            measured,
            due,
            self.serving,
            self.node_names,
            policy=self.policy,
            hash_policy=hash_policy,
            target=f"http://{self.loads.vip}/",
            check_id=check_id,
            group=f"hash policy from {router.name}",
            false_alarm_rate=rate_of("load tests"),
            tests_in_run=tests_in_run(self.expected),
        )


def connections_for(expected: Expected, router: Router) -> int:
    """How many connections the judged load test opens: the description's number, or more where shares are many.

    With ten next hops each share is a tenth, and 6,000 connections could not show that one is a fifth too large. With
    hash policy 0 (until G28) no node's share is judged, only that a client keeps to one node: a thousand say that
    surely. With policy Cluster pods' shares are judged even then. There are no more draws than source ports.
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
    return max(expected.spec.load_test.requests, min(needed, MOST_FLOWS))


def tests_in_run(expected: Expected) -> int:
    """G27 and G29 from every router."""
    return 2 * len(expected.routers)
