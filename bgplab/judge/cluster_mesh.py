"""The ClusterMesh part (M01–M15) as a course."""

from __future__ import annotations

from bgplab.checks.all import all_checks
from bgplab.checks.explain import by_hand
from bgplab.checks.mesh_expected import LOAD_TESTS, MeshExpected
from bgplab.checks.mesh_failover import convergence_of, truth_cell
from bgplab.checks.mesh_service import load_test_of
from bgplab.checks.registry import Check
from bgplab.errors import LabError
from bgplab.judge.course import Course
from bgplab.judge.mesh_readers import READERS, SLOW
from bgplab.judge.mesh_topology import topology_of, versions_of
from bgplab.judge.mesh_traces import TRACES
from bgplab.judge.sight import Sight
from bgplab.observe.mesh_failover import Crossing, FailedOver, Restored
from bgplab.observe.mesh_load import MeshLoads
from bgplab.observe.mesh_services import MeshEndpoints, MeshServices
from bgplab.observe.mesh_truth_table import TruthTable
from bgplab.spec.model import LabSpec


def _expectation(sight: Sight) -> MeshExpected:
    """It follows the Services and their endpoints as they are now."""
    return MeshExpected(sight.spec, sight.stage, sight.see(MeshServices), sight.see(MeshEndpoints))


def _by_hand(check: Check, spec: LabSpec, sight: Sight | None) -> tuple[str, ...]:
    return by_hand(check, spec)


def _keep(check: Check, sight: Sight) -> None:
    """Load tests and crossings, for the report."""
    try:
        if check.id in LOAD_TESTS:
            _keep_load_tests(check.id, sight)
        if FailedOver in check.needs:
            _keep_crossing(check, sight, sight.see(FailedOver).crossing)
        if Restored in check.needs:
            _keep_crossing(check, sight, sight.see(Restored).crossing)
        if TruthTable in check.needs:
            names = sight.expected.names
            cells = sight.see(TruthTable).cells
            sight.context.truth_table[:] = [truth_cell(cell, cell.client.cluster, names) for cell in cells]
    except LabError:
        return  # the verdict has said what could not be seen


def _keep_crossing(check: Check, sight: Sight, crossing: Crossing) -> None:
    finding = check.judge(*(sight.see(need) for need in check.needs), sight.expected)
    sight.context.convergence.append(convergence_of(crossing, check.id, finding))


def _keep_load_tests(row: str, sight: Sight) -> None:
    """Judged against who may answer as things are."""
    expected: MeshExpected = sight.expected
    for name in expected.names:
        if due := expected.answering(name).backends:
            sight.context.load_tests.append(load_test_of(name, sight.see(MeshLoads), expected, due, row))


CLUSTER_MESH = Course(
    letter="M",
    checks=lambda: all_checks("M"),
    readers=READERS,
    slow=SLOW,
    grounds=(MeshServices, MeshEndpoints),
    expectation=_expectation,
    traces=TRACES,
    by_hand=_by_hand,
    topology=topology_of,
    versions=versions_of,
    judged=_keep,
)
