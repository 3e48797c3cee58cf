"""Parameters that only some flows have: `--event link-down`, `--parameter rate=50`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bgplab.cli.flows import FLOWS, FlowChoice
from bgplab.errors import InputError

if TYPE_CHECKING:
    from bgplab.spec.model import LabSpec


def own_parameters(flow: str, spec: LabSpec, events: Sequence[str], more: Sequence[str]) -> dict[str, Any]:
    """What was typed, as the flow takes it. Raises InputError for what it does not take; Prefect is not asked."""
    parameters = dict(_read(text) for text in more)
    if parameters:
        from tasks.flow_parameters import refuse_unfit_parameters

        refuse_unfit_parameters(flow, parameters)
    if parameters.get("node"):
        from bgplab.steps.failover.event import Conditions, subject

        subject(spec, Conditions(node=parameters["node"]))
    if events:
        parameters["events"] = list(_known(FLOWS[flow], events))
    return parameters


def _known(choice: FlowChoice, events: Sequence[str]) -> Sequence[str]:
    from bgplab.steps.failover.all import EVENT_STEPS

    made = {name: id for name, id in EVENT_STEPS.items() if id in choice.part.steps}
    if not made:
        raise InputError(
            "--event", "this flow makes no events", "only failover does", "run flow failover: bgp-lab run failover"
        )
    if unknown := [event for event in events if event not in made]:
        why = "each event has a step of its own, and its check knows what must come of it"
        raise InputError("--event", f"{', '.join(unknown)} is no event", why, f"name one of {', '.join(made)}")
    return events


def _read(text: str) -> tuple[str, Any]:
    """`rate=50` → ("rate", 50); what is no JSON is text."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        why = "a parameter has a name, and its value is JSON or text"
        raise InputError("--parameter", f"{text!r} is not NAME=VALUE", why, "write for example rate=50")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
