"""How often a probe must succeed or fail before it counts, and how a container begins."""

from __future__ import annotations

from typing import Any

import pytest

from bgplab.backends.embedded.agents.kubelet.probes import Health, Streak, initial_health

PROBE: dict[str, Any] = {"exec": {"command": ["true"]}}


@pytest.mark.parametrize(
    ("probe", "outcomes", "verdicts"),
    [
        ({}, "+--+---", [True, None, None, True, None, None, False]),
        ({"failureThreshold": 1}, "-+-", [False, True, False]),
        ({"successThreshold": 2, "failureThreshold": 2}, "+-++-", [None, None, None, True, None]),
    ],
)
def test_a_threshold_is_reached_in_a_row(probe: dict[str, Any], outcomes: str, verdicts: list[bool | None]) -> None:
    streak = Streak(probe)
    assert [streak.add(outcome == "+") for outcome in outcomes] == verdicts


@pytest.mark.parametrize(
    ("container", "health"),
    [
        ({}, Health(started=True, ready=True)),
        ({"livenessProbe": PROBE}, Health(started=True, ready=True)),
        ({"readinessProbe": PROBE}, Health(started=True, ready=False)),
        ({"startupProbe": PROBE}, Health(started=False, ready=False)),
    ],
)
def test_until_a_probe_has_succeeded_nothing_is_taken_for_granted(container: dict[str, Any], health: Health) -> None:
    assert initial_health(container) == health
