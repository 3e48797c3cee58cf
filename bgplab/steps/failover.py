"""The seven events of flow `failover`, and the way back of each: through the same seams as everything else."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Address
from typing import Any

from bgplab.errors import InputError, LabError
from bgplab.lab.cluster import BGP_ADVERTISEMENT, DAEMON_SET, DEPLOYMENT, NODE, POD, Cluster, Manifest
from bgplab.lab.model import Lab
from bgplab.lab.waiting import Deadline
from bgplab.observe.cilium_agents import LABEL, NAMESPACE, agent_pods, ask_agents
from bgplab.observe.cilium_bgp import PEERS, parse_peers
from bgplab.observe.foreign import parse_json
from bgplab.observe.frr_bgp import vtysh
from bgplab.observe.pods import read_pods
from bgplab.observe.side_by_side import side_by_side
from bgplab.observe.traffic_events import (
    AgentKilled,
    AgentsRestarted,
    LabelRemoved,
    LinkDown,
    PodScaledAway,
    RouteWithdrawn,
    SessionShut,
    UnderTraffic,
)
from bgplab.spec import derived, manifests
from bgplab.spec.model import LabSpec, Node
from bgplab.steps.all import STEPS
from bgplab.steps.events import Conditions, Event, Ground, ground, under_traffic
from bgplab.steps.outcome import Outcome, Step, kubectl_apply, on_host
from bgplab.steps.vip_view import look_at_vip

AGENTS = "cilium"  # name of the DaemonSet
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
SOON_SECONDS = 10.0  # for what takes well below a second; the check has its own, narrower limit
POD_SECONDS = 60.0  # a pod starts, on a real cluster with its image there


def subject(spec: LabSpec, conditions: Conditions) -> Node:
    """The node that it happens to: a worker, since the API server's own link must stay up. Raises InputError."""
    speaking = [node for node in derived.bgp_nodes(spec) if conditions.node in (None, node.name)]
    workers = [node for node in speaking if not node.control_plane] or speaking
    if not workers:
        names = ", ".join(node.name for node in derived.bgp_nodes(spec))
        raise InputError("node", f"no node with BGP is called {conditions.node}", "", f"name one of {names}")
    return workers[0]


# pod scaled away -----------------------------------------------------------------------------------------------------


def pod_scaled_away(here: Ground) -> Event:
    """Which pod goes is the ReplicaSet controller's choice; under policy Local its node then withdraws."""
    app, cluster = here.spec.cluster.app, here.lab.cluster

    def scale(replicas: int) -> None:
        cluster.patch(DEPLOYMENT, app.name, {"spec": {"replicas": replicas}}, app.namespace)

    def due() -> frozenset[IPv4Address]:
        return look_at_vip(here.lab, here.spec).due

    def settled() -> bool:
        view = look_at_vip(here.lab, here.spec)
        return view.endpoints == app.replicas - 1 and here.kernel_hops() == view.due

    return Event(
        did=f"{app.name} scaled from {app.replicas} pods to {app.replicas - 1}",
        undone=f"{app.name} scaled back to {app.replicas} pods",
        nodes=(),
        make=partial(scale, app.replicas - 1),
        undo=partial(scale, app.replicas),
        due=due,
        has_settled=settled,
        settles_seconds=SOON_SECONDS,
        has_returned=lambda: here.all_is_as_before(),
        returns_seconds=POD_SECONDS,
    )


def plan_pod(spec: LabSpec) -> list[str]:
    app = spec.cluster.app
    return [f"kubectl scale deployment {app.name} --replicas {count}" for count in (app.replicas - 1, app.replicas)]


# the agents' pods ----------------------------------------------------------------------------------------------------


def agent_killed(here: Ground) -> Event:
    """The DaemonSet no longer wants a pod on the node, so the agent ends and nobody starts it again."""
    node, cluster = subject(here.spec, here.conditions), here.lab.cluster
    before = cluster.get(DAEMON_SET, AGENTS, NAMESPACE)
    if before is None:
        raise LabError(f"there is no DaemonSet {NAMESPACE}/{AGENTS}")
    bgp = here.spec.cluster.bgp
    stale = bgp.graceful_restart.restart_seconds if bgp.graceful_restart.enabled else 0

    def returned() -> bool:
        return node.name in ready_agents(cluster) and here.all_is_as_before()

    return Event(
        did=f"{node.name}: its agent ended, and nobody starts it again",
        undone=f"{node.name}: its agent may run again",
        nodes=(node.name,),
        make=partial(cluster.patch, DAEMON_SET, AGENTS, keep_off(node.name), NAMESPACE),
        undo=partial(cluster.patch, DAEMON_SET, AGENTS, let_on(before), NAMESPACE),
        due=lambda: here.hops - {node.address},
        has_settled=lambda: here.kernel_hops() == here.hops - {node.address},
        settles_seconds=stale + SOON_SECONDS,
        has_returned=returned,
        returns_seconds=POD_SECONDS,
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
    cluster, names = here.lab.cluster, tuple(sorted(node.name for node in derived.bgp_nodes(here.spec)))
    pods, sessions = agent_pods(cluster), here.sessions()
    doomed = {pods[name] for name in names if name in pods}

    def started_anew() -> bool:
        ready = ready_agents(cluster)
        return set(names) <= set(ready) and not doomed & set(ready.values())

    def sessions_anew() -> bool:
        now = here.sessions()
        return all(now.get(peer, 0) > count for peer, count in sessions.items()) and here.all_is_as_before()

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
        returns_seconds=POD_SECONDS,
    )


def ready_agents(cluster: Cluster) -> dict[str, str]:
    """Names of the cilium pods that are Ready, by node."""
    pods = read_pods(cluster, NAMESPACE, LABEL).pods
    return {pod.node: pod.name for pod in pods if pod.node and pod.ready and not pod.deleting}


def plan_restart(spec: LabSpec) -> list[str]:
    return [f"kubectl -n {NAMESPACE} delete pod -l {LABEL}", f"kubectl -n {NAMESPACE} get pod -l {LABEL} -w"]


# link ----------------------------------------------------------------------------------------------------------------

ROUTES_FILE = "/run/bgp-lab-routes-before-link-down"


def link_down(here: Ground) -> Event:
    """The router's own link stays up, so that only timers tell. Routes that go with the link are put back with it."""
    node = subject(here.spec, here.conditions)
    host = here.lab.hosts[node.name]
    device = device_of(host.run(["ip", "-j", "address"]).stdout, node.address)
    bgp = here.spec.cluster.bgp
    stale = bgp.graceful_restart.restart_seconds if bgp.graceful_restart.enabled else 0

    def hasten() -> str:
        return _restart_agent(here, node)

    return Event(
        did=f"{node.name}: link {device} down",
        undone=f"{node.name}: link {device} up",
        nodes=(node.name,),
        make=lambda: host.run(["sh", "-c", down_script(device)]),
        undo=lambda: host.run(["sh", "-c", up_script(device)]),
        due=lambda: here.hops - {node.address},
        has_settled=lambda: here.kernel_hops() == here.hops - {node.address},
        settles_seconds=bgp.timers.hold_seconds + stale + SOON_SECONDS,
        has_returned=lambda: here.all_is_as_before(),
        returns_seconds=POD_SECONDS + (3 * bgp.timers.connect_retry_seconds if _waits(here.conditions) else 0),
        hasten=hasten,
    )


def _waits(conditions: Conditions) -> bool:
    """Whether the node's own retry is waited for."""
    return conditions.dial_patience_seconds is None


def _restart_agent(here: Ground, node: Node) -> str:
    """What an operator does who will not wait for a speaker's retry."""
    cluster, ours = here.lab.cluster, derived.peer_address(here.spec.routers[0])
    printed = ask_agents(cluster, PEERS, [node.name]).get(node.name, "[]")
    states = [peer.state for peer in parse_peers(printed) if peer.address == ours]
    cluster.delete(POD, agent_pods(cluster)[node.name], NAMESPACE)
    return f"{node.name}'s agent, whose session was {', '.join(states) or 'not there'}, was restarted"


def device_of(printed: str, address: IPv4Address) -> str:
    """The interface that has this address, by `ip -j address`. Raises LabError."""
    for link in parse_json(printed, "ip -j address"):
        if any(entry.get("local") == str(address) for entry in link.get("addr_info", [])):
            return str(link["ifname"])
    raise LabError(f"no interface has {address}")


def down_script(device: str) -> str:
    return f"ip route save table main dev {device} > {ROUTES_FILE} && ip link set dev {device} down"


def up_script(device: str) -> str:
    """Routes that the kernel has made again by itself are there already, and said to be (`File exists`)."""
    restore = f"ip route restore < {ROUTES_FILE} 2>/dev/null"
    return f"ip link set dev {device} up && {restore}; status=$?; rm -f {ROUTES_FILE}; exit $status"


def plan_link(spec: LabSpec) -> list[str]:
    node = subject(spec, Conditions())
    device = f"$(ip -o -4 address show to {node.address} | awk '{{print $2}}')"
    scripts = (down_script(device), up_script(device))
    return [on_host(node.name, ["sh", "-c", script]) for script in scripts]


# session, label, route -----------------------------------------------------------------------------------------------


def session_shut(here: Ground) -> Event:
    node, asn = subject(here.spec, here.conditions), here.spec.routers[0].asn
    return Event(
        did=f"{here.router.name}: neighbor {node.address} ({node.name}) shutdown",
        undone=f"{here.router.name}: no neighbor {node.address} ({node.name}) shutdown",
        nodes=(node.name,),
        make=lambda: here.router.run(vtysh(*shut_commands(asn, node))),
        undo=lambda: here.router.run(vtysh(*shut_commands(asn, node, "no "))),
        due=lambda: here.hops - {node.address},
        has_settled=lambda: here.kernel_hops() == here.hops - {node.address},
        settles_seconds=SOON_SECONDS,
        has_returned=lambda: here.all_is_as_before(),
        returns_seconds=POD_SECONDS,
    )


def shut_commands(asn: int, node: Node, no: str = "") -> list[str]:
    return ["configure terminal", f"router bgp {asn}", f"{no}neighbor {node.address} shutdown", "end"]


def plan_shut(spec: LabSpec) -> list[str]:
    router, node = spec.routers[0], subject(spec, Conditions())
    return [on_host(router.name, vtysh(*shut_commands(router.asn, node, no))) for no in ("", "no ")]


def label_removed(here: Ground) -> Event:
    node, label = subject(here.spec, here.conditions), here.spec.cluster.bgp.node_label

    def set_label(value: str | None) -> None:
        here.lab.cluster.patch(NODE, node.name, {"metadata": {"labels": {label: value}}})

    return Event(
        did=f"{node.name}: label {label} removed",
        undone=f"{node.name}: label {label}=true set",
        nodes=(node.name,),
        make=partial(set_label, None),
        undo=partial(set_label, "true"),
        due=lambda: here.hops - {node.address},
        has_settled=lambda: here.kernel_hops() == here.hops - {node.address},
        settles_seconds=SOON_SECONDS,
        has_returned=lambda: here.all_is_as_before(),
        returns_seconds=POD_SECONDS,
    )


def plan_label(spec: LabSpec) -> list[str]:
    name, label = subject(spec, Conditions()).name, spec.cluster.bgp.node_label
    return [f"kubectl label node {name} {label}-", f"kubectl label node {name} {label}=true"]


def route_withdrawn(here: Ground) -> Event:
    cluster, advertisements = here.lab.cluster, manifests.service_advertisement(here.spec.cluster)
    names = [advertisement["metadata"]["name"] for advertisement in advertisements]
    return Event(
        did=f"advertisement {', '.join(names)} deleted",
        undone=f"advertisement {', '.join(names)} applied",
        nodes=(),
        make=partial(_delete_advertisements, cluster, names),
        undo=lambda: side_by_side(cluster.apply, advertisements),
        due=frozenset,
        has_settled=lambda: not here.kernel_hops(),
        settles_seconds=SOON_SECONDS,
        has_returned=lambda: here.all_is_as_before(),
        returns_seconds=POD_SECONDS,
    )


def _delete_advertisements(cluster: Cluster, names: Sequence[str]) -> None:
    for name in names:
        cluster.delete(BGP_ADVERTISEMENT, name)


def plan_withdraw(spec: LabSpec) -> list[str]:
    advertisements = manifests.service_advertisement(spec.cluster)
    deleted = [f"kubectl delete ciliumbgpadvertisement {one['metadata']['name']}" for one in advertisements]
    return [*deleted, kubectl_apply(advertisements)]


# steps ---------------------------------------------------------------------------------------------------------------

STEP_SECONDS = 30.0
#: Scaling down and back (G26) leaves no trace: where the lab stands afterwards it stood before.
NO_TRACE = frozenset({"G26"})


def walk_to_the_end(lab: Lab, spec: LabSpec, deadline: Deadline) -> Outcome:
    """Every step of the BGP lab that is not so already (G03-G28), without judging what it judges. Repeatable."""
    outcomes = {
        id: step.do(lab, spec, Deadline.after(STEP_SECONDS)) for id, step in STEPS.items() if id not in NO_TRACE
    }
    changed = [id for id, outcome in outcomes.items() if outcome.outcome == "changed"]
    commands = [command for outcome in outcomes.values() for command in outcome.commands]
    if not changed:
        return Outcome.already("the BGP lab stands at its last step", commands)
    return Outcome.changed(f"the BGP lab walked to its last step ({changed[0]} to {changed[-1]})", commands)


def plan_walk(spec: LabSpec) -> list[str]:
    return [command for id, step in STEPS.items() if id not in NO_TRACE for command in step.plan(spec)]


def _step(
    id: str,
    title: str,
    kind: type[UnderTraffic],
    event: Callable[[Ground], Event],
    plan: Callable[[LabSpec], list[str]],
) -> Step:
    def do(lab: Lab, spec: LabSpec, deadline: Deadline, conditions: Conditions = Conditions()) -> Outcome:
        here = ground(lab, spec, conditions, deadline)
        seen = under_traffic(kind, here, event(here))
        if isinstance(seen, PodScaledAway):
            seen = with_nodes(seen)
        traffic = seen.probe
        failed = traffic.errors.total() - traffic.errors["interrupted"]
        what = f"{seen.away.did}; {seen.back.did}; {failed} of {len(traffic)} connections failed"
        return Outcome.changed(what, plan(spec), evidence=[seen])

    do.__doc__ = event.__doc__
    return Step(id, title, plan, do)


def with_nodes(seen: PodScaledAway) -> PodScaledAway:
    """Whose pod went is known only afterwards."""
    gone = tuple(sorted(seen.names.get(hop, str(hop)) for hop in seen.before - seen.away.due))
    return replace(seen, away=replace(seen.away, nodes=gone), back=replace(seen.back, nodes=gone))


_IN_ORDER = (
    Step("E02", "the BGP lab at its last step", plan_walk, walk_to_the_end),
    _step("E03", "pod scaled away", PodScaledAway, pod_scaled_away, plan_pod),
    _step("E05", "agent killed", AgentKilled, agent_killed, plan_kill),
    _step("E07", "agents restarted", AgentsRestarted, agents_restarted, plan_restart),
    _step("E09", "link down", LinkDown, link_down, plan_link),
    _step("E11", "session shut on the router", SessionShut, session_shut, plan_shut),
    _step("E13", "label removed", LabelRemoved, label_removed, plan_label),
    _step("E15", "route withdrawn", RouteWithdrawn, route_withdrawn, plan_withdraw),
)

#: What users call the events.
EVENT_STEPS = {
    "pod-scaled-away": "E03",
    "agent-killed": "E05",
    "agents-restarted": "E07",
    "link-down": "E09",
    "session-shut": "E11",
    "label-removed": "E13",
    "route-withdrawn": "E15",
}

EVENTS: dict[str, Step] = {step.id: step for step in _IN_ORDER}
