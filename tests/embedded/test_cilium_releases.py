"""A lab of another Cilium release: its API serves the versions that this release has, and the same guide holds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bgplab.backends.embedded import launch
from bgplab.backends.registry import backend
from bgplab.errors import InputError
from bgplab.lab.cluster import BGP_CLUSTER_CONFIG, BGP_NODE_CONFIG, BGP_PEER_CONFIG, LB_POOL, Kind
from bgplab.spec.loading import load_lab
from tasks.walk import Walk

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("releases")]

#: As far as objects of every kind that changed its API version are used: sessions, pool, address, advertisement.
STEPS = ("G03", "G07", "G08", "G09", "G10", "G11", "G18", "G19", "G21")
CHECKS = ("G02", "G11", "G12", "G13", "G18", "G19", "G21", "G22")
KINDS = (BGP_CLUSTER_CONFIG, BGP_NODE_CONFIG, BGP_PEER_CONFIG, LB_POOL)


@pytest.fixture(scope="module")
def walk(bring_up: Callable[..., launch.Started]) -> Walk:
    """A lab of Cilium 1.17 in which the address is announced."""
    old = load_lab("guide", {"clusters[0].cilium_version": "'1.17'"})
    record = bring_up(old).record
    walk = Walk(old, record.name, backend("embedded", {}), say=lambda _: None)
    walk.provision("test")
    for step in STEPS:
        walk.do(step)
    return walk


def test_the_guides_sessions_and_address_hold_with_cilium_1_17(walk: Walk) -> None:
    walk.judge_checks(CHECKS)
    assert {one.id: one.reason for one in walk.checks if one.verdict.value != "holds"} == {}
    assert [one.id for one in walk.checks] == list(CHECKS)


def test_its_objects_have_the_api_version_that_1_17_has(walk: Walk) -> None:
    versions = {kind.kind: {one["apiVersion"] for one in walk.lab.cluster.list(kind)} for kind in KINDS}
    assert versions == {kind.kind: {"cilium.io/v2alpha1"} for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_it_serves_nothing_that_1_17_does_not(walk: Walk, kind: Kind) -> None:
    with pytest.raises(InputError, match=r'no matches for kind .* in version "cilium\.io/v2"'):
        walk.lab.cluster.kind_of({"apiVersion": "cilium.io/v2", "kind": kind.kind, "metadata": {"name": "x"}})
