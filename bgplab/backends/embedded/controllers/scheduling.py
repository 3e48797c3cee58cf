"""Which node a pod goes to, and why not to the others: pure; texts as kube-scheduler's plugins write them.

Looked at: Ready and unschedulable nodes, taints, node selector and required node affinity, requests of resources,
required pod affinity and anti-affinity by any topology key. Not looked at: host ports, volumes, topology spread,
preferences, priorities (nobody is preempted).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bgplab.backends.embedded.controllers.conditions import find
from bgplab.backends.embedded.controllers.pods import controller_of
from bgplab.backends.embedded.controllers.requests import Amounts, requests_of, shortages
from bgplab.backends.embedded.controllers.selectors import matches, tolerates
from bgplab.lab.cluster import Manifest

NOT_READY = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
UNSCHEDULABLE = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"

PodsByNode = Mapping[str, Sequence[Manifest]]

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a node does not do, at times for more than one reason; removing other pods could help if `preemptable`."""

    text: str
    preemptable: bool = False
    more: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """What pods on nodes mean for one that is to be placed, worked out once for all nodes (kube-scheduler's PreFilter).

    A domain is a node's label: topology key and value. wanted: for each term of the pod's affinity its key and the
    domains that satisfy it, None when any does. shunned: domains of pods that its anti-affinity takes. closed: domains
    of pods whose own anti-affinity takes it.
    """

    wanted: tuple[tuple[str, frozenset[tuple[str, str]] | None], ...] = ()
    shunned: frozenset[tuple[str, str]] = frozenset()
    closed: frozenset[tuple[str, str]] = frozenset()


NOBODY_AROUND = Neighbourhood()
NOTHING_ASKED: Amounts = {}


@dataclass(frozen=True, slots=True)
class Placement:
    """A node, or None with the message of the PodScheduled condition and the FailedScheduling event."""

    node: str | None
    message: str = ""


def place(pod: Manifest, nodes: Sequence[Manifest], pods: Iterable[Manifest]) -> Placement:
    """The best node for a pod: of those without an obstacle the one with the fewest siblings, then the fewest pods."""
    on_nodes: dict[str, list[Manifest]] = {node["metadata"]["name"]: [] for node in nodes}
    for other in pods:
        if other["spec"].get("nodeName") in on_nodes:
            on_nodes[other["spec"]["nodeName"]].append(other)
    around = neighbourhood_of(pod, [(node["metadata"].get("labels") or {}, on_nodes[_name(node)]) for node in nodes])
    asked = requests_of(pod)
    obstacles = {_name(node): obstacle_on(node, pod, around, asked, on_nodes[_name(node)]) for node in nodes}
    free = [name for name, obstacle in obstacles.items() if obstacle is None]
    if not free:
        return Placement(None, unschedulable_message([obstacle for obstacle in obstacles.values() if obstacle]))
    return Placement(min(free, key=lambda name: (_siblings(pod, on_nodes[name]), len(on_nodes[name]), name)))


def obstacle_on(
    node: Manifest,
    pod: Manifest,
    around: Neighbourhood = NOBODY_AROUND,
    asked: Amounts = NOTHING_ASKED,
    others: Sequence[Manifest] = (),
) -> Obstacle | None:
    """The first thing that keeps a pod from a node, in the order of kube-scheduler's plugins.

    asked: what the pod requests. others: the pods on the node.
    """
    return (
        _taint_obstacle(node, pod)
        or _affinity_obstacle(node, pod)
        or _resource_obstacle(node, asked, others)
        or _pod_affinity_obstacle(node, around)
    )


def neighbourhood_of(pod: Manifest, placed: Sequence[tuple[Labels, Sequence[Manifest]]]) -> Neighbourhood:
    """placed: for each node its labels and the pods on it."""

    def taken(term: Mapping[str, Any]) -> frozenset[tuple[str, str]]:
        key = term["topologyKey"]
        return frozenset(
            (key, labels[key])
            for labels, others in placed
            if key in labels and any(_term_takes(term, pod, other) for other in others)
        )

    return Neighbourhood(
        wanted=tuple(
            (term["topologyKey"], None if _first_of_its_kind(term, pod, placed) else taken(term))
            for term in _pod_terms(pod, "podAffinity")
        ),
        shunned=frozenset().union(*map(taken, _pod_terms(pod, "podAntiAffinity"))),
        closed=frozenset(
            (term["topologyKey"], labels[term["topologyKey"]])
            for labels, others in placed
            for other in others
            for term in _pod_terms(other, "podAntiAffinity")
            if term["topologyKey"] in labels and _term_takes(term, other, pod)
        ),
    )


def unschedulable_message(obstacles: Sequence[Obstacle]) -> str:
    """What kube-scheduler says when no node does: reasons counted and sorted, then why preemption does not help."""
    if not obstacles:
        return "no nodes available to schedule pods"
    preemption = Counter(
        "No preemption victims found for incoming pod"
        if obstacle.preemptable
        else "Preemption is not helpful for scheduling"
        for obstacle in obstacles
    )
    head = f"0/{len(obstacles)} nodes are available: "
    reasons = _counted(Counter(text for obstacle in obstacles for text in (obstacle.text, *obstacle.more)))
    return f"{head}{reasons}. preemption: {head}{_counted(preemption)}."


def node_name_affinity(node: str) -> dict[str, Any]:
    """A required node affinity for exactly one node, as the DaemonSet controller writes it."""
    fields = [{"key": "metadata.name", "operator": "In", "values": [node]}]
    return {REQUIRED: {"nodeSelectorTerms": [{"matchFields": fields}]}}


def pinned_node(pod: Manifest) -> str | None:
    """The node a pod is on, or is made for by `node_name_affinity`."""
    if pod["spec"].get("nodeName"):
        return str(pod["spec"]["nodeName"])
    for term in _node_terms(pod):
        for field in term.get("matchFields") or []:
            if field["key"] == "metadata.name" and len(field.get("values") or []) == 1:
                return str(field["values"][0])
    return None


def taints_of(node: Manifest) -> list[dict[str, Any]]:
    """A node's taints, also those that a node controller would add for its state."""
    spec = node.get("spec") or {}
    taints = list(spec.get("taints") or [])
    ready = find((node.get("status") or {}).get("conditions"), "Ready")
    if ready is not None and ready["status"] != "True":
        taints.append(NOT_READY)
    if spec.get("unschedulable"):
        taints.append(UNSCHEDULABLE)
    return taints


def _taint_obstacle(node: Manifest, pod: Manifest) -> Obstacle | None:
    tolerations = pod["spec"].get("tolerations") or []
    for taint in taints_of(node):
        if taint["effect"] == "PreferNoSchedule":
            continue
        if any(tolerates(toleration, taint) for toleration in tolerations):
            continue
        if taint["key"] == UNSCHEDULABLE["key"]:
            return Obstacle("node(s) were unschedulable")
        return Obstacle(f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}")
    return None


def _affinity_obstacle(node: Manifest, pod: Manifest) -> Obstacle | None:
    labels = node["metadata"].get("labels") or {}
    selector = pod["spec"].get("nodeSelector") or {}
    terms = _node_terms(pod)
    if selector.items() <= labels.items() and (not terms or any(_term_holds(term, node) for term in terms)):
        return None
    return Obstacle("node(s) didn't match Pod's node affinity/selector")


def _node_terms(pod: Manifest) -> list[dict[str, Any]]:
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    return (affinity.get(REQUIRED) or {}).get("nodeSelectorTerms") or []


def _term_holds(term: Mapping[str, Any], node: Manifest) -> bool:
    labels = {"matchExpressions": term.get("matchExpressions")}
    fields = {"matchExpressions": term.get("matchFields")}
    return matches(labels, node["metadata"].get("labels") or {}) and matches(
        fields, {"metadata.name": node["metadata"]["name"]}
    )


def _resource_obstacle(node: Manifest, asked: Amounts, others: Sequence[Manifest]) -> Obstacle | None:
    short, hopeless = shortages(node, asked, others)
    return Obstacle(short[0], not hopeless, tuple(short[1:])) if short else None


def _pod_affinity_obstacle(node: Manifest, around: Neighbourhood) -> Obstacle | None:
    labels = node["metadata"].get("labels") or {}
    if any(domains is not None and (key, labels.get(key)) not in domains for key, domains in around.wanted):
        return Obstacle("node(s) didn't match pod affinity rules")
    if not around.shunned.isdisjoint(labels.items()):
        return Obstacle("node(s) didn't match pod anti-affinity rules", preemptable=True)
    if not around.closed.isdisjoint(labels.items()):
        return Obstacle("node(s) didn't satisfy existing pods anti-affinity rules", preemptable=True)
    return None


def _pod_terms(pod: Manifest, kind: str) -> list[dict[str, Any]]:
    return ((pod["spec"].get("affinity") or {}).get(kind) or {}).get(REQUIRED) or []


def _term_takes(term: Mapping[str, Any], owner: Manifest, other: Manifest) -> bool:
    """Whether a pod affinity term of `owner` speaks of the pod `other`; without a selector it speaks of none."""
    if not term.get("labelSelector"):
        return False
    namespaces = term.get("namespaces") or [owner["metadata"].get("namespace", "default")]
    everywhere = term.get("namespaceSelector") == {}
    return (everywhere or other["metadata"].get("namespace", "default") in namespaces) and matches(
        term["labelSelector"], other["metadata"].get("labels") or {}
    )


def _first_of_its_kind(
    term: Mapping[str, Any], pod: Manifest, placed: Iterable[tuple[Labels, Sequence[Manifest]]]
) -> bool:
    """A pod that would satisfy its own affinity may start somewhere, or none ever could."""
    others = (other for _, pods in placed for other in pods)
    return _term_takes(term, pod, pod) and not any(_term_takes(term, pod, other) for other in others)


def _name(node: Manifest) -> str:
    return str(node["metadata"]["name"])


def _siblings(pod: Manifest, others: Iterable[Manifest]) -> int:
    owner = (controller_of(pod) or {}).get("uid")
    return sum(1 for other in others if owner and (controller_of(other) or {}).get("uid") == owner)


def _counted(reasons: Counter[str]) -> str:
    return ", ".join(sorted(f"{count} {text}" for text, count in reasons.items()))
