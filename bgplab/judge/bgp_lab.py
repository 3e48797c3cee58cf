"""The BGP lab (G01–G30) as a course."""

from __future__ import annotations

from typing import Any

from bgplab.checks.all import all_checks
from bgplab.checks.expected import Expected
from bgplab.checks.explain import by_hand
from bgplab.checks.load_evidence import LOADS, LoadEvidence
from bgplab.checks.registry import Check
from bgplab.errors import LabError
from bgplab.judge.bgp_lab_traces import TRACES
from bgplab.judge.course import Course
from bgplab.judge.readers import READERS, SLOW
from bgplab.judge.sight import Sight
from bgplab.judge.topology import topology_of, versions_of
from bgplab.observe.endpoint_slices import Endpoints
from bgplab.observe.services import AppService
from bgplab.spec.model import LabSpec

LOAD_TESTS = ("G27", "G29")


def expectation(sight: Sight) -> Expected:
    """It follows the Service and its endpoints as they are now."""
    return Expected(sight.spec, sight.stage, sight.see(AppService).service, sight.see(Endpoints))


def by_hand_now(check: Check, spec: LabSpec, sight: Sight | None) -> tuple[str, ...]:
    """With the Service's own address once it has one."""
    try:
        vip = sight.expected.vip if sight else None
    except LabError:
        vip = None
    return by_hand(check, spec, vip)


def _keep_load_tests(check: Check, sight: Sight) -> None:
    """Both sizes of each router's load test, for the report."""
    if check.id not in LOAD_TESTS:
        return
    try:
        seen: list[Any] = [*(sight.see(kind) for kind in LOADS), sight.expected]
    except LabError:
        return
    for small in (True, False):
        sight.context.load_tests.extend(LoadEvidence(*seen).results(check.id, small=small).values())


BGP_LAB = Course(
    letter="G",
    checks=all_checks,
    readers=READERS,
    slow=frozenset(SLOW),
    grounds=(AppService, Endpoints),
    expectation=expectation,
    traces=TRACES,
    by_hand=by_hand_now,
    topology=topology_of,
    versions=versions_of,
    judged=_keep_load_tests,
)
