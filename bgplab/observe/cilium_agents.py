"""The cilium pods, one per node, and asking something in all of them: `kubectl exec -n kube-system ds/cilium -- …`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bgplab.lab.cluster import Cluster
from bgplab.observe.foreign import parse_object
from bgplab.observe.pods import read_pods
from bgplab.observe.side_by_side import by_name

NAMESPACE = "kube-system"
LABEL = "k8s-app=cilium"
CONTAINER = "cilium-agent"


@dataclass(frozen=True, slots=True)
class AgentStatus:
    """`cilium-dbg status -o json` on every node: state and message of the agent itself (Ok, Warning, Failure)."""

    by_node: dict[str, tuple[str, str]]


def agent_pods(cluster: Cluster) -> dict[str, str]:
    """Names of the running cilium pods by node."""
    pods = read_pods(cluster, NAMESPACE, LABEL).pods
    return {pod.node: pod.name for pod in pods if pod.node and pod.phase == "Running" and not pod.deleting}


def ask_agents(cluster: Cluster, argv: Sequence[str], nodes: Sequence[str] = ()) -> dict[str, str]:
    """What `argv` prints in each node's cilium pod (or in those of `nodes`), by node."""
    pods = agent_pods(cluster)
    chosen = {node: pod for node, pod in pods.items() if not nodes or node in nodes}
    return by_name(lambda pod: cluster.exec(pod, argv, namespace=NAMESPACE, container=CONTAINER).stdout, chosen)


def read_agent_status(cluster: Cluster) -> AgentStatus:
    printed = ask_agents(cluster, ["cilium-dbg", "status", "-o", "json"])
    return AgentStatus({node: parse_status(text) for node, text in printed.items()})


def parse_status(text: str) -> tuple[str, str]:
    agent = parse_object(text, "cilium-dbg status -o json").get("cilium") or {}
    return agent.get("state", "Ok"), agent.get("msg", "")
