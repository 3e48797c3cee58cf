"""The steps of flow `failover` in order: the BGP lab walked to its end, then each event with its way back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from bgplab.lab.model import Lab
from bgplab.lab.waiting import Deadline
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
from bgplab.spec.model import LabSpec
from bgplab.steps.all import STEPS
from bgplab.steps.failover.agents import agent_killed, agents_restarted, plan_kill, plan_restart
from bgplab.steps.failover.announcing import (
    label_removed,
    plan_label,
    plan_shut,
    plan_withdraw,
    route_withdrawn,
    session_shut,
)
from bgplab.steps.failover.event import Conditions, Event, Ground, ground
from bgplab.steps.failover.link import link_down, plan_link
from bgplab.steps.failover.pod import plan_pod, pod_scaled_away, with_nodes
from bgplab.steps.failover.watching import under_traffic
from bgplab.steps.outcome import Outcome, Step

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
        errors = sum((at.probe.errors for at in seen.at), Counter())
        failed, total = errors.total() - errors["interrupted"], sum(len(at.probe) for at in seen.at)
        first = seen.at[0]
        what = f"{first.away.did}; {first.back.did}; {failed} of {total} connections failed"
        return Outcome.changed(what, plan(spec), evidence=[seen])

    do.__doc__ = event.__doc__
    return Step(id, title, plan, do)


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
