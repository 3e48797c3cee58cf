"""Agents of a cluster that has Cilium from the start: they end with the pod they run in, and with no other."""

from __future__ import annotations

from typing import Any

import pytest

from bgplab.backends.embedded.agents.installed_agent_pods import InstalledAgentPods
from bgplab.spec.loading import load_lab

NODES = load_lab("guide").cluster.nodes
NODE = NODES[0].name


class Agents:
    """The node's agents, by what was asked of them."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def start(self, node: Any, host: Any) -> None:
        self.asked.append("start")

    def wait_ready(self, names: list[str]) -> None:
        pass

    def halt(self, name: str) -> None:
        self.asked.append("halt")


@pytest.fixture
def agents() -> Agents:
    return Agents()


@pytest.fixture
def pods(agents: Agents) -> InstalledAgentPods:
    return InstalledAgentPods(NODES, agents, {node.name: None for node in NODES})  # type: ignore[arg-type]


def pod(uid: str) -> dict[str, Any]:
    return {"metadata": {"uid": uid}, "spec": {"nodeName": NODE}}


def test_the_first_pod_finds_its_agents_at_work(pods: InstalledAgentPods, agents: Agents) -> None:
    pods.started(pod("first"))
    assert agents.asked == []


def test_agents_end_with_their_pod_and_start_with_the_next_one(pods: InstalledAgentPods, agents: Agents) -> None:
    pods.started(pod("first"))
    pods.ended(pod("first"))
    pods.started(pod("second"))
    assert agents.asked == ["halt", "start"]


def test_the_end_of_an_old_pod_leaves_the_agents_of_its_successor_at_work(
    pods: InstalledAgentPods, agents: Agents
) -> None:
    """A pod deleted by force is gone from the API before its process is: its successor may start first."""
    pods.started(pod("old"))
    pods.started(pod("new"))
    pods.ended(pod("old"))
    assert agents.asked == []
    pods.ended(pod("new"))
    assert agents.asked == ["halt"]
