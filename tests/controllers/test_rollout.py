"""The arithmetic of rolling updates and which pods a smaller ReplicaSet gives up."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bgplab.backends.embedded.controllers.replica_sets import doomed
from bgplab.backends.embedded.controllers.rollout import (
    Limits,
    Sizes,
    limits_of,
    next_sizes,
    recreate_sizes,
    template_hash,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("rolling", "replicas", "limits"),
    [
        ({}, 3, Limits(1, 0)),
        ({}, 10, Limits(3, 2)),
        ({"maxSurge": 0, "maxUnavailable": 0}, 3, Limits(0, 1)),
        ({"maxSurge": "100%", "maxUnavailable": 1}, 4, Limits(4, 1)),
    ],
)
def test_surge_is_rounded_up_and_unavailability_down(rolling, replicas, limits):
    assert limits_of({"rollingUpdate": rolling}, replicas) == limits


def test_a_new_deployment_gets_all_its_pods_at_once():
    assert next_sizes(3, Sizes("new", 0, 0, 0), [], Limits(1, 0)) == {"new": 3}


@pytest.mark.parametrize("replicas", [2, 4])
def test_scaling_changes_the_only_replica_set(replicas):
    assert next_sizes(replicas, Sizes("new", 3, 3, 3), [], Limits(1, 0)) == {"new": replicas}


def test_nothing_is_done_when_all_is_as_wanted():
    assert next_sizes(3, Sizes("new", 3, 3, 3), [Sizes("old", 0, 0, 0)], Limits(1, 0)) == {}


def test_a_rolling_update_never_falls_short_nor_exceeds():
    new, old, limits = Sizes("new", 0, 0, 0), Sizes("old", 3, 3, 3), Limits(1, 0)
    steps = 0
    while (new.wanted, old.wanted) != (3, 0):
        sizes = next_sizes(3, new, [old], limits)
        assert sizes, "the update is stuck"
        new = Sizes("new", *(sizes.get("new", new.wanted),) * 3)
        old = Sizes("old", *(sizes.get("old", old.wanted),) * 3)
        assert 3 <= new.wanted + old.wanted <= 4
        steps += 1
    assert steps <= 6


def test_old_pods_wait_for_new_ones_to_become_available():
    assert next_sizes(3, Sizes("new", 1, 1, 0), [Sizes("old", 3, 3, 3)], Limits(1, 0)) == {}


def test_broken_old_pods_go_first():
    sizes = next_sizes(3, Sizes("new", 1, 1, 1), [Sizes("old", 3, 3, 0)], Limits(1, 1))
    assert sizes["old"] < 3


def test_recreate_waits_for_the_last_old_pod():
    new = Sizes("new", 0, 0, 0)
    assert recreate_sizes(3, new, [Sizes("old", 3, 3, 3)]) == {"old": 0}
    assert recreate_sizes(3, new, [Sizes("old", 0, 1, 0)]) == {}
    assert recreate_sizes(3, new, [Sizes("old", 0, 0, 0)]) == {"new": 3}


def test_another_template_has_another_hash():
    assert template_hash({"spec": {"image": "a"}}) != template_hash({"spec": {"image": "b"}})


def a_pod(name: str, node: str = "w0", *, ready: str = "2026-01-01T11:00:00Z", phase: str = "Running", cost: str = ""):
    conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": ready}] if ready else []
    return {
        "metadata": {
            "name": name,
            "uid": name,
            "creationTimestamp": "2026-01-01T10:00:00Z",
            "annotations": {"controller.kubernetes.io/pod-deletion-cost": cost} if cost else {},
        },
        "spec": {"nodeName": node},
        "status": {"phase": phase, "conditions": conditions},
    }


@pytest.mark.parametrize(
    "victim",
    [
        a_pod("b", node=""),
        a_pod("b", phase="Pending"),
        a_pod("b", ready=""),
        a_pod("b", cost="-5"),
        a_pod("b", ready="2026-01-01T11:59:50Z"),
    ],
    ids=["not bound", "pending", "not ready", "cheap", "ready for a short time only"],
)
def test_the_least_useful_pod_goes_first(victim):
    pods = [a_pod("a"), victim, a_pod("c")]
    assert doomed(pods, 1, [], NOON) == [victim]


def test_a_pod_with_siblings_on_its_node_goes_first():
    pods = [a_pod("a", "w0"), a_pod("b", "w1"), a_pod("c", "w1")]
    assert doomed(pods, 1, pods, NOON)[0]["spec"]["nodeName"] == "w1"


def test_nobody_goes_when_pods_are_missing():
    assert doomed([a_pod("a")], -2, [], NOON) == []
