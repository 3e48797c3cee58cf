"""Agents' pods: one killed (E05) and all restarted (E07), and the way back of each."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from bgplab.errors import LabError
from bgplab.lab.cluster import DAEMON_SET, POD, Cluster, Manifest
from bgplab.observe.cilium_agents import LABEL, NAMESPACE, agent_pods
from bgplab.observe.pods import read_pods
from bgplab.observe.side_by_side import side_by_side
from bgplab.spec.derived import bgp_nodes
from bgplab.spec.model import LabSpec
from bgplab.steps.failover.event import POD_SECONDS, SOON_SECONDS, Conditions, Event, Ground, subject

AGENTS = "cilium"  # name of the DaemonSet
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def stale_seconds(spec: LabSpec) -> int:
    """How long a router keeps the paths of a speaker that has gone without a word (RFC 4724)."""
    restart = spec.cluster.bgp.graceful_restart
    return restart.restart_seconds if restart.enabled else 0


def agent_killed(here: Ground) -> Event:
    """The DaemonSet no longer wants a pod on the node, so the agent ends and nobody starts it again."""
    node, cluster = subject(here.spec, here.conditions), here.lab.cluster
    before = cluster.get(DAEMON_SET, AGENTS, NAMESPACE)
    if before is None:
        raise LabError(f"there is no DaemonSet {NAMESPACE}/{AGENTS}")

    def returned() -> bool:
        return node.name in ready_agents(cluster) and here.all_is_as_before()

    return Event(
        did=f"{node.name}: its agent ended, and nobody starts it again",
        undone=f"{node.name}: its agent may run again",
        nodes=(node.name,),
        make=partial(cluster.patch, DAEMON_SET, AGENTS, keep_off(node.name), NAMESPACE),
        undo=partial(cluster.patch, DAEMON_SET, AGENTS, let_on(before), NAMESPACE),
        due=lambda: here.without(node.address),
        settles_seconds=stale_seconds(here.spec) + SOON_SECONDS,
        has_returned=returned,
    )


def keep_off(node: str) -> Manifest:
    """A merge patch: no pod on this node. OnDelete, so that the new template replaces no pod anywhere else."""
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "NotIn", "values": [node]}]}
    affinity = {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [term]}}}
    return {
        "spec": {
            "updateStrategy": {"type": "OnDelete"},
            "template": {"spec": {"affinity": affinity}},
        }
    }


def let_on(before: Manifest) -> Manifest:
    """A merge patch that undoes `keep_off`: the template is the old one again, and no pod is replaced."""
    spec = before["spec"]
    affinity: dict[str, Any] | None = spec["template"]["spec"].get("affinity")
    if affinity is not None:
        own = affinity.get("nodeAffinity")
        affinity = {**affinity, "nodeAffinity": None if own is None else {REQUIRED: None, **own}}
    return {
        "spec": {
            "updateStrategy": spec.get("updateStrategy"),
            "template": {"spec": {"affinity": affinity}},
        }
    }


def plan_kill(spec: LabSpec) -> list[str]:
    name = subject(spec, Conditions()).name
    back: Manifest = {"spec": {"updateStrategy": None, "template": {"spec": {"affinity": {"nodeAffinity": None}}}}}
    command = f"kubectl -n {NAMESPACE} patch daemonset {AGENTS} --type merge -p"
    return [f"{command} '{json.dumps(patch)}'" for patch in (keep_off(name), back)]


def agents_restarted(here: Ground) -> Event:
    """All agents at once: without graceful restart there would be no way left to the address."""
    cluster, names = here.lab.cluster, tuple(sorted(node.name for node in bgp_nodes(here.spec)))
    pods, sessions = agent_pods(cluster), here.sessions()
    doomed = {pods[name] for name in names if name in pods}

    def started_anew() -> bool:
        ready = ready_agents(cluster)
        return set(names) <= set(ready) and not doomed & set(ready.values())

    def sessions_anew() -> bool:
        now = here.sessions()
        return all(now.get(one, 0) > count for one, count in sessions.items()) and here.all_is_as_before()

    return Event(
        did=f"the agents of {', '.join(names)} ended",
        undone="the agents run again",
        nodes=names,
        make=lambda: side_by_side(lambda pod: cluster.delete(POD, pod, NAMESPACE), sorted(doomed)),
        undo=lambda: None,  # the DaemonSet has made new pods
        due=lambda: here.hops,
        has_settled=started_anew,
        settles_seconds=POD_SECONDS,
        has_returned=sessions_anew,
    )


def ready_agents(cluster: Cluster) -> dict[str, str]:
    """Names of the cilium pods that are Ready, by node."""
    pods = read_pods(cluster, NAMESPACE, LABEL).pods
    return {pod.node: pod.name for pod in pods if pod.node and pod.ready and not pod.deleting}


def plan_restart(spec: LabSpec) -> list[str]:
    return [f"kubectl -n {NAMESPACE} delete pod -l {LABEL}", f"kubectl -n {NAMESPACE} get pod -l {LABEL} -w"]
